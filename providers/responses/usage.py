"""Tokens as the Responses API counts them → one sense of the words, and a chat's `usage`.

Counts that a chat has no name for (what a search has cost) stay, under their own names.
Wire format: https://platform.openai.com/docs/api-reference/responses/object.
"""

from __future__ import annotations

from providers.openai.wire import whole_number
from providers.types import Json, JsonObject, Usage

_INPUT, _OUTPUT = "input_tokens_details", "output_tokens_details"
_READ = ("cached_tokens", "cache_read_input_tokens")
_WRITTEN = ("cache_write_tokens", "cache_creation_input_tokens")
"""OpenAI's name and Perplexity's."""


def read(usage: Json) -> Usage | None:
    """Read a `usage` object; None where it holds no count. Parts never exceed their whole. Total."""
    counts = _object(usage)
    if not any(whole_number(counts.get(name)) is not None for name in ("input_tokens", "output_tokens")):
        return None
    inputs, outputs = _object(counts.get(_INPUT)), _object(counts.get(_OUTPUT))
    input_tokens, output_tokens = _count(counts, "input_tokens"), _count(counts, "output_tokens")
    cached = min(_count(inputs, *_READ), input_tokens)
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_tokens=cached,
        cache_write_tokens=min(_count(inputs, *_WRITTEN), input_tokens - cached),
        reasoning_tokens=min(_count(outputs, "reasoning_tokens"), output_tokens),
        audio_input_tokens=min(_count(inputs, "audio_tokens"), input_tokens),
        audio_output_tokens=min(_count(outputs, "audio_tokens"), output_tokens),
        image_output_tokens=min(_count(outputs, "image_tokens"), output_tokens),
        searches=_count(_object(_object(counts.get("tool_calls_details")).get("web_search")), "invocation"),
    )


def as_chat(usage: Json, tokens: Usage) -> JsonObject:
    """Render a `usage` that has been read as a chat's."""
    counts = _object(usage)
    known = {"input_tokens", "output_tokens", "total_tokens", _INPUT, _OUTPUT}
    return {
        "prompt_tokens": tokens.input_tokens,
        "completion_tokens": tokens.output_tokens,
        "total_tokens": tokens.input_tokens + tokens.output_tokens,
        "prompt_tokens_details": {
            **_without(counts.get(_INPUT), *_READ, *_WRITTEN),
            "cached_tokens": tokens.cached_tokens,
            "cache_write_tokens": tokens.cache_write_tokens,
        },
        "completion_tokens_details": {
            **_without(counts.get(_OUTPUT)),
            "reasoning_tokens": tokens.reasoning_tokens,
        },
        **_without(counts, *known),
    }


def _count(counts: JsonObject, *names: str) -> int:
    return next((found for name in names if (found := whole_number(counts.get(name)))), 0)


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _without(counts: Json, *names: str) -> JsonObject:
    return {name: value for name, value in _object(counts).items() if name not in names and value is not None}
