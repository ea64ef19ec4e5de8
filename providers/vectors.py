"""Vectors as OpenAI gives them (https://platform.openai.com/docs/api-reference/embeddings/object)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from providers.errors import RequestRejected, UnsupportedParameter
from providers.openai.vectors import as_base64
from providers.types import Call, Json, JsonObject, Reply, Target, Usage

Vector = Sequence[float] | str


def answer(
    call: Call, target: Target, vectors: Sequence[Vector], usage: Usage | None, model: str | None = None
) -> Reply:
    """Give a list of vectors in the encoding that the call asks for; a text is one that is encoded already."""
    encode = _ENCODINGS[encoding_of(call.body)]
    data = [
        {"object": "embedding", "index": index, "embedding": each if isinstance(each, str) else encode(each)}
        for index, each in enumerate(vectors)
    ]
    body: JsonObject = {"object": "list", "data": data, "model": model or target.model}
    if usage is not None:
        body["usage"] = {"prompt_tokens": usage.input_tokens, "total_tokens": usage.input_tokens}
    return Reply(msgspec.json.encode(body), usage, model)


def encoding_of(body: Mapping[str, Json]) -> str:
    """Give `encoding_format`. Raises `RequestRejected` for one that OpenAI does not have."""
    encoding = body.get("encoding_format") or "float"
    if not isinstance(encoding, str) or encoding not in _ENCODINGS:
        raise RequestRejected("`encoding_format` must be float or base64.", param="encoding_format")
    return encoding


def texts(value: Json, target: Target) -> list[str]:
    """Give what is to be embedded, as texts. Raises `RequestRejected`, for tokens too."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not items:
        raise RequestRejected("`input` must be a text or a list of texts.", param="input")
    if not all(isinstance(item, str) for item in items):
        raise UnsupportedParameter(
            f"`{target.name}` takes `input` as texts, not as numbers of tokens.", param="input"
        )
    return items


_ENCODINGS: Mapping[str, Callable[[Sequence[float]], Sequence[float] | str]] = {
    "float": lambda vector: vector,
    "base64": as_base64,
}
