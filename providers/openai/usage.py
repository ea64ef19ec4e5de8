"""Token counts as this dialect's servers report them → one sense of the words."""

from __future__ import annotations

from providers.openai.counts import seconds
from providers.openai.wire import whole_number
from providers.types import Json, JsonObject, Quirks, Usage

_PARTS = ("prompt_tokens_details", "completion_tokens_details")


def read(usage: Json, quirks: Quirks) -> Usage | None:
    """Read a `usage` object; None where it holds no count. Parts never exceed their whole. Total."""
    if not isinstance(usage, dict):
        return None
    if (
        whole_number(usage.get("prompt_tokens")) is None
        and whole_number(usage.get("completion_tokens")) is None
    ):
        return None
    inputs, outputs = (_object(usage.get(name)) for name in _PARTS)
    input_tokens = _count(usage, "prompt_tokens")
    output_tokens = _output(usage, quirks)
    cached = min(_cached(usage, inputs, quirks), input_tokens)
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_tokens=cached,
        cache_write_tokens=min(_count(inputs, "cache_write_tokens"), input_tokens - cached),
        reasoning_tokens=min(_count(outputs, "reasoning_tokens"), output_tokens),
        audio_input_tokens=min(_count(inputs, "audio_tokens"), input_tokens),
        audio_output_tokens=min(_count(outputs, "audio_tokens"), output_tokens),
        # Of pictures that are shown nothing is told apart: cached ones would count at the full price.
        image_output_tokens=min(_count(outputs, "image_tokens"), output_tokens),
        # OpenRouter's own searches.
        searches=_count(_object(usage.get("server_tool_use")), "web_search_requests"),
        audio_seconds=seconds(usage.get("prompt_audio_seconds")),  # Mistral bills sound by the minute
    )


def normalised(raw: JsonObject, usage: Usage) -> JsonObject:
    """Give a chat's or completion's `usage` with the sums in OpenAI's sense and all other fields as they are."""
    clean = {
        **raw,
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
    for name in _PARTS:
        # Blackbox prints Python's None as a text.
        if name in clean and not isinstance(clean[name], dict):
            clean[name] = None
    if usage.cached_tokens:
        details = _object(clean.get("prompt_tokens_details"))
        clean["prompt_tokens_details"] = {**details, "cached_tokens": usage.cached_tokens}
    return clean


def _output(usage: JsonObject, quirks: Quirks) -> int:
    output = _count(usage, "completion_tokens")
    if not quirks.reasoning_apart:
        return output
    # xAI's chat leaves reasoning out and its total shows it; its other endpoints count as OpenAI does.
    if whole_number(usage.get("total_tokens")) == _count(usage, "prompt_tokens") + output:
        return output
    return output + _count(_object(usage.get("completion_tokens_details")), "reasoning_tokens")


def _cached(usage: JsonObject, inputs: JsonObject, quirks: Quirks) -> int:
    if quirks.cache_hit_tokens:
        return _count(usage, "prompt_cache_hit_tokens") or _count(inputs, "cached_tokens")
    # Together has `cached_tokens` beside the sums, Mistral `num_cached_tokens`.
    return (
        _count(inputs, "cached_tokens")
        or _count(usage, "cached_tokens")
        or _count(usage, "num_cached_tokens")
    )


def _count(counts: JsonObject, name: str) -> int:
    return whole_number(counts.get(name)) or 0


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}
