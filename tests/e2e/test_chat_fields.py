"""Every field of the chat API, sent by the official client, reaches the provider; what it answers comes back."""

from __future__ import annotations

import json
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionContentPartParam, ChatCompletionMessageParam
from openai.types.chat import completion_create_params as params

from tests.harness import actions as act
from tests.harness.rig import Rig, model_of
from tests.harness.upstream import Slot

WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CACHED = {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}}
MESSAGES: list[dict[str, Any]] = [
    {"role": "developer", "content": [{"type": "text", "text": "Be brief.", **CACHED}], "name": "dev"},
    {"role": "system", "content": "You are helpful.", "name": "sys"},
    {
        "role": "user",
        "name": "ümit",
        "content": [
            {"type": "text", "text": "What do you see? 🗼", **CACHED},
            {"type": "image_url", "image_url": {"url": "https://images.test/a.png", "detail": "low"}},
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERg==", "filename": "a.pdf"}},
            {"type": "file", "file": {"file_id": "file-1"}, **CACHED},
        ],
    },
    {
        "role": "assistant",
        "content": [{"type": "text", "text": "Let me look."}, {"type": "refusal", "refusal": "No."}],
        "refusal": None,
        "name": "bot",
        "audio": {"id": "audio_1"},
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}},
            {"id": "call_2", "type": "custom", "custom": {"name": "shell", "input": "ls"}},
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "18 °C"},
    {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "a.txt"}]},
    {"role": "assistant", "content": None, "function_call": {"name": "old", "arguments": "{}"}},
    {"role": "function", "name": "old", "content": "done"},
]  # fmt: skip
FIELDS: dict[str, Any] = {
    "messages": MESSAGES,
    "audio": {"format": "mp3", "voice": "alloy"},
    "frequency_penalty": -0.5,
    "function_call": {"name": "old"},
    "functions": [{"name": "old", "description": "As it was.", "parameters": WEATHER}],
    "logit_bias": {"50256": -100, "11": 1},
    "logprobs": True,
    "max_completion_tokens": 100,
    "max_tokens": 99,
    "metadata": {"topic": "test"},
    "modalities": ["text", "audio"],
    "moderation": {"model": "omni-moderation-latest", "policy": {"input": {"mode": "score"}, "output": None}},
    "n": 2,
    "parallel_tool_calls": False,
    "prediction": {"type": "content", "content": [{"type": "text", "text": "It is"}]},
    "presence_penalty": 1.5,
    "prompt_cache_key": "cache-1",
    "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
    "prompt_cache_retention": "24h",
    "reasoning_effort": "low",
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "answer", "description": "An answer", "schema": WEATHER, "strict": True},
    },
    "safety_identifier": "user-hash",
    "seed": 7,
    "service_tier": "flex",
    "stop": ["\n", "END"],
    "store": False,
    "stream_options": {"include_obfuscation": False},
    "temperature": 0.1,
    "tool_choice": {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "weather"}}]},
    },
    "tools": [
        {"type": "function", "function": {"name": "weather", "description": "W", "parameters": WEATHER, "strict": True}},
        {
            "type": "custom",
            "custom": {
                "name": "shell",
                "description": "S",
                "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /a/"}},
            },
        },
    ],
    "top_logprobs": 3,
    "top_p": 0.9,
    "user": "user-1",
    "verbosity": "low",
    "web_search_options": {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"city": "Paris", "country": "FR"}},
    },
}  # fmt: skip
BY_THE_CALL = {"model", "stream"}


def test_every_field_that_the_client_library_knows_is_sent() -> None:
    known = set(get_type_hints(params.CompletionCreateParamsStreaming))
    assert set(FIELDS) | BY_THE_CALL == known


def literals(union: Any, field: str) -> set[str]:
    """Give the values that a field has in the members of a union."""
    hints = (get_type_hints(member)[field] for member in get_args(union))
    return {value for hint in hints for value in (get_args(hint) if get_origin(hint) is Literal else ())}


def test_every_role_and_part_that_the_client_library_knows_is_sent() -> None:
    assert {message["role"] for message in MESSAGES} == literals(ChatCompletionMessageParam, "role")
    parts = {part["type"] for part in MESSAGES[2]["content"]}
    assert parts == literals(ChatCompletionContentPartParam, "type")


FUTURE: dict[str, Any] = {"deep": [1, 2.5, None, {"ü": "🗼"}]}


def take(rig: Rig, lane: str) -> Slot:
    return rig.exact() if lane == "exact" else rig.plain()


@pytest.mark.parametrize("lane", ["exact", "plain"])
def test_a_whole_answer_to_every_field(rig: Rig, openai: OpenAI, lane: str) -> None:
    slot = take(rig, lane)
    reply = json.loads(act.golden("openai/chat_response_logprobs.json")) | {"future": FUTURE}
    reply["choices"][0]["future"] = FUTURE
    reply["choices"][0]["message"] |= {"annotations": [], "audio": None, "future": FUTURE}
    reply["usage"]["future"] = FUTURE
    slot.script(act.json_reply(reply))
    raw = openai.chat.completions.with_raw_response.create(model=model_of(slot), stream=False, **FIELDS)
    assert slot.last.json == {**FIELDS, "model": slot.name, "stream": False}
    assert raw.http_response.json() == reply


@pytest.mark.parametrize("lane", ["exact", "plain"])
def test_a_streamed_answer_to_every_field(rig: Rig, openai: OpenAI, lane: str) -> None:
    slot = take(rig, lane)
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "future": FUTURE}
    delta = {"role": "assistant", "content": "Hi", "future": FUTURE}
    said = {"index": 0, "delta": delta, "finish_reason": None, "logprobs": None, "future": FUTURE}
    end = {"index": 0, "delta": {}, "finish_reason": "stop", "logprobs": None}
    chunks = [chunk | {"choices": [said]}, chunk | {"choices": [end]}]
    events = [b"data: %b\n\n" % json.dumps(each).encode() for each in chunks]
    slot.script(act.stream_of([*events, b"data: [DONE]\n\n"]))
    with openai.chat.completions.create(model=model_of(slot), stream=True, **FIELDS) as stream:
        seen = [each.to_dict() for each in stream]
    options = {"include_obfuscation": False, "include_usage": True}
    assert slot.last.json == {**FIELDS, "model": slot.name, "stream": True, "stream_options": options}
    assert seen == chunks
