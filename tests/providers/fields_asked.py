"""What each operation's request may have: field → a request, and what the field adds to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from providers.types import Operation, Upload

Json = Any


class Held:
    """A small file."""

    size = 5

    async def pieces(self) -> AsyncIterator[bytes]:
        yield b"bytes"


HELD = Held()
SOUND = Upload("file", "a.mp3", "audio/mpeg", HELD)
IMAGE = Upload("image", "a.png", "image/png", HELD)
FILES = "files"
"""What comes beside the fields of a form."""
OWN = "a field of the vendor's own"

_WEATHER = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
_SCHEMA = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
_TOOLS = {"tools": [_WEATHER]}


def _says(part: Json) -> Json:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}, part]}]}


_HI = {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}
CHAT: dict[str, tuple[Json, Json]] = {
    "temperature": ({}, {"temperature": 0.5}),
    "top_p": ({}, {"top_p": 0.5}),
    "max_completion_tokens": ({}, {"max_completion_tokens": 9}),
    "max_tokens": ({}, {"max_tokens": 9}),
    "stop": ({}, {"stop": ["x"]}),
    "n: 2": ({}, {"n": 2}),
    "seed": ({}, {"seed": 1}),
    "frequency_penalty": ({}, {"frequency_penalty": 0.5}),
    "presence_penalty": ({}, {"presence_penalty": 0.5}),
    "logit_bias": ({}, {"logit_bias": {"1": 1}}),
    "logprobs": ({}, {"logprobs": True}),
    "top_logprobs": ({"logprobs": True}, {"top_logprobs": 2}),
    "response_format: json_object": ({}, {"response_format": {"type": "json_object"}}),
    "response_format: json_schema": (
        {},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": _SCHEMA}}},
    ),
    "tools": ({}, _TOOLS),
    "tool_choice: required": (_TOOLS, {"tool_choice": "required"}),
    "parallel_tool_calls: false": (_TOOLS, {"parallel_tool_calls": False}),
    "functions": ({}, {"functions": [_WEATHER["function"]]}),
    "reasoning_effort": ({}, {"reasoning_effort": "low"}),
    "verbosity": ({}, {"verbosity": "low"}),
    "web_search_options": ({}, {"web_search_options": {}}),
    "prediction": ({}, {"prediction": {"type": "content", "content": "x"}}),
    "modalities, audio": (
        {},
        {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}},
    ),
    "service_tier": ({}, {"service_tier": "priority"}),
    "store": ({}, {"store": True}),
    "metadata": ({}, {"metadata": {"a": "b"}}),
    "user": ({}, {"user": "u"}),
    "safety_identifier": ({}, {"safety_identifier": "u"}),
    "prompt_cache_key": ({}, {"prompt_cache_key": "k"}),
    "a picture, as data": (
        _HI,
        _says({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}),
    ),
    "a picture, by URL": (_HI, _says({"type": "image_url", "image_url": {"url": "https://a.test/a.png"}})),
    "sound": (_HI, _says({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}})),
    "a file": (
        _HI,
        _says(
            {
                "type": "file",
                "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
            }
        ),
    ),
    "`name` of a message": (
        {"messages": [{"role": "user", "content": "Hi"}]},
        {"messages": [{"role": "user", "content": "Hi", "name": "jo"}]},
    ),
    OWN: ({}, {"acme_mode": "x"}),
}

_IMAGE = {
    "n: 2": {"n": 2},
    "size": {"size": "1024x1024"},
    "quality": {"quality": "high"},
    "style": {"style": "vivid"},
    "background": {"background": "transparent"},
    "output_format": {"output_format": "webp"},
    "response_format: url": {"response_format": "url"},
    "response_format: b64_json": {"response_format": "b64_json"},
    "stream": {"stream": True},
    "user": {"user": "u"},
    OWN: {"acme_mode": "x"},
}
_SOUND = {
    "language": {"language": "en"},
    "prompt": {"prompt": "Names"},
    "response_format: verbose_json": {"response_format": "verbose_json"},
    "response_format: srt": {"response_format": "srt"},
    "temperature": {"temperature": "0.5"},
    "timestamp_granularities": {"timestamp_granularities": ["word", "segment"]},
    "include: logprobs": {"include": ["logprobs"]},
    "chunking_strategy": {"chunking_strategy": "auto"},
    "stream": {"stream": "true"},
    OWN: {"acme_mode": "x"},
}
_TOLD_BESIDE: dict[Operation, tuple[Json, Json]] = {
    # Operation → the least of a request, and what each field adds to it.
    Operation.EMBEDDINGS: (
        {"input": ["Hi"]},
        {
            "input: several texts": {"input": ["Hi", "you"]},
            "input: tokens": {"input": [1, 2]},
            "dimensions": {"dimensions": 256},
            "encoding_format: float": {"encoding_format": "float"},
            "encoding_format: base64": {"encoding_format": "base64"},
            "user": {"user": "u"},
            OWN: {"acme_mode": "x"},
        },
    ),
    Operation.RERANK: (
        {"query": "q", "documents": ["a", "b"]},
        {
            "documents: objects": {"documents": [{"text": "c", "title": "C"}, {"text": "d"}]},
            "top_n": {"top_n": 1},
            "return_documents": {"return_documents": True},
            "max_tokens_per_doc": {"max_tokens_per_doc": 9},
            "rank_fields": {"rank_fields": ["title"]},
            OWN: {"acme_mode": "x"},
        },
    ),
    Operation.IMAGE_GENERATION: ({"prompt": "a cat"}, _IMAGE),
    Operation.IMAGE_EDIT: (
        {"prompt": "a hat", FILES: (IMAGE,)},
        {
            "several images": {FILES: (IMAGE, IMAGE)},
            "mask": {FILES: (IMAGE, Upload("mask", "m.png", "image/png", HELD))},
            **_IMAGE,
        },
    ),
    Operation.VIDEO: (
        {"prompt": "a cat"},
        {
            "seconds": {"seconds": "6"},
            "size": {"size": "1280x720"},
            "input_reference": {FILES: (Upload("input_reference", "a.png", "image/png", HELD),)},
            OWN: {"acme_mode": "x"},
        },
    ),
    Operation.SPEECH: (
        {"input": "Hi"},
        {
            "voice": {"voice": "alloy"},
            "instructions": {"instructions": "Softly."},
            "response_format": {"response_format": "wav"},
            "speed": {"speed": 1.5},
            "stream_format: sse": {"stream_format": "sse"},
            OWN: {"acme_mode": "x"},
        },
    ),
    Operation.TRANSCRIPTION: ({FILES: (SOUND,)}, _SOUND),
    Operation.TRANSLATION: (
        {FILES: (SOUND,)},
        {
            field: added
            for field, added in _SOUND.items()
            if field.split(":")[0] in ("prompt", "response_format", "temperature", OWN)
        },
    ),
    Operation.MODERATION: (
        {"input": "Hi"},
        {
            "input: several texts": {"input": ["Hi", "you"]},
            "input: pictures": {
                "input": [{"type": "image_url", "image_url": {"url": "https://a.test/a.png"}}]
            },
            OWN: {"acme_mode": "x"},
        },
    ),
}
FIELDS: dict[Operation, dict[str, tuple[Json, Json]]] = {
    Operation.CHAT: CHAT,
    **{
        operation: {field: (least, added) for field, added in fields.items()}
        for operation, (least, fields) in _TOLD_BESIDE.items()
    },
}
