"""What the operations beside words report of their use: tokens under other names, seconds, pictures."""

from __future__ import annotations

import math

from providers.openai.wire import whole_number
from providers.types import Json, JsonObject, Usage


def read(raw: Json) -> Usage | None:
    """Read a `usage` object; None where it counts nothing. Parts never exceed their whole. Total.

    Met are `input_tokens` and `output_tokens` (images, audio), `prompt_tokens` (Groq, Together), `total_tokens`
    alone (vLLM's rerank), and `{"type": "duration", "seconds"}` (transcriptions).
    """
    if not isinstance(raw, dict):
        return None
    inputs = _first(raw, "input_tokens", "prompt_tokens")
    outputs = _first(raw, "output_tokens", "completion_tokens")
    heard = seconds(raw.get("seconds") or raw.get("prompt_audio_seconds"))
    if inputs is None and outputs is None:
        inputs = whole_number(raw.get("total_tokens"))
    if inputs is None and outputs is None and not heard:
        return None
    # Images have the first, transcriptions the second, OpenRouter's images the third.
    came = _details(raw, "input_tokens_details", "input_token_details", "prompt_tokens_details")
    went = _details(raw, "output_tokens_details", "output_token_details", "completion_tokens_details")
    taken, given = inputs or 0, outputs or 0
    return Usage(
        input_tokens=taken,
        output_tokens=given,
        cached_tokens=min(_count(came, "cached_tokens"), taken),
        audio_input_tokens=min(_count(came, "audio_tokens"), taken),
        audio_output_tokens=min(_count(went, "audio_tokens"), given),
        image_input_tokens=min(_count(came, "image_tokens"), taken),
        image_output_tokens=min(_count(went, "image_tokens"), given),
        audio_seconds=heard,
    )


def seconds(value: Json) -> float:
    """Give a number of seconds, which some write as a text; 0 where it is none."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0.0
    return float(min(max(0.0, value), 1e9))


def _first(raw: JsonObject, *names: str) -> int | None:
    return next((n for name in names if (n := whole_number(raw.get(name))) is not None), None)


def _count(counts: JsonObject, name: str) -> int:
    return whole_number(counts.get(name)) or 0


def _details(raw: JsonObject, *names: str) -> JsonObject:
    return next((found for name in names if isinstance(found := raw.get(name), dict)), {})
