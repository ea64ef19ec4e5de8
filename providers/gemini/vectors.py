"""Embeddings as OpenAI's clients ask for them and take them (https://platform.openai.com/docs/api-reference/embeddings)."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Sequence

import msgspec

from providers import shape
from providers.errors import MalformedResponse, RequestRejected, UnsupportedParameter
from providers.types import Call, Json, JsonObject, Reply, Target, Usage


def texts(fields: JsonObject, target: Target) -> list[str]:
    """Give the texts of `input`. Raises `RequestRejected`, and `UnsupportedParameter` for tokens."""
    given = fields.get("input")
    if isinstance(given, str):
        return [given]
    items = shape.listing(given, "input")
    if any(isinstance(item, int | list) for item in items):
        raise UnsupportedParameter(
            f"`{target.name}` cannot take tokens as `input`: they are another model's. Send texts.",
            param="input",
        )
    return [shape.text(item, f"input[{index}]") for index, item in enumerate(items)]


def check_encoding(fields: JsonObject) -> None:
    """Raise `RequestRejected` unless `encoding_format` is one of OpenAI's."""
    if fields.get("encoding_format", "float") not in ("float", "base64"):
        raise RequestRejected("`encoding_format` must be float or base64.", param="encoding_format")


def not_streamed() -> RequestRejected:
    """Give the refusal of a stream."""
    return RequestRejected(
        "Embeddings cannot be streamed; leave `stream` out or set it to false.", param="stream"
    )


def reply(call: Call, target: Target, vectors: Sequence[list[float]], usage: Usage | None) -> Reply:
    """Render vectors in the order of the texts; where nobody has counted tokens, the body says 0.

    Raises `MalformedResponse`.
    """
    shortened = call.body.get("dimensions") is not None
    encode = _base64 if call.body.get("encoding_format") == "base64" else _floats
    data = [
        {"object": "embedding", "index": index, "embedding": encode(_unit(each) if shortened else each)}
        for index, each in enumerate(vectors)
    ]
    tokens = usage.input_tokens if usage else 0
    body = {
        "object": "list",
        "data": data,
        "model": target.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return Reply(msgspec.json.encode(body), usage, None)


def _unit(vector: list[float]) -> list[float]:
    """Give the vector with length 1, as OpenAI's are; Google's shortened ones are not."""
    length = math.hypot(*vector)
    return [value / length for value in vector] if length else vector


def _floats(vector: list[float]) -> Json:
    return vector


def _base64(vector: list[float]) -> Json:
    """Give 32-bit floats, little-endian, in base64."""
    try:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except OverflowError:
        raise MalformedResponse("An embedding holds a number beyond 32-bit floats.") from None
