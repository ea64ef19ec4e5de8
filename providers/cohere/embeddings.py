"""The embeddings adapter: `POST /v2/embed` (https://docs.cohere.com/reference/embed).

Its functions are the contract of `providers/adapter.py`. Cohere wants to know what the vectors are
for (`input_type`): the request says, else the provider's option.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from providers import batches, vectors
from providers.adapter import StreamDecoder
from providers.asked import Neutral, named, refuse, twice
from providers.batches import join
from providers.bearer import bearer
from providers.cohere.errors import parse_error, parse_limits, reported
from providers.cohere.wire import Count
from providers.errors import MalformedResponse, RequestRejected
from providers.posting import post
from providers.types import Call, Head, HttpRequest, Json, JsonObject, Reply, Target, Usage

__all__ = [
    "build_request",
    "join",
    "open_stream",
    "parse_error",
    "parse_limits",
    "parse_response",
    "split",
]

MOST_TEXTS = 96
"""Texts that one request may hold. Of pictures it holds one."""

_REFUSED: Mapping[str, Neutral] = {"user": lambda _: False}
_TRANSLATED = frozenset(
    {
        "dimensions",
        "embedding_types",
        "encoding_format",
        "input",
        "input_type",
        "model",
        "stream",
        "stream_options",
    }
)
_KNOWN = _TRANSLATED | _REFUSED.keys()


class _Units(msgspec.Struct):
    input_tokens: Count | None = None
    image_tokens: Count | None = None


class _Meta(msgspec.Struct):
    billed_units: _Units = msgspec.field(default_factory=_Units)


class _Answer(msgspec.Struct):
    embeddings: dict[str, list[list[float] | str]]
    meta: _Meta | None = None


def split(call: Call, target: Target) -> Sequence[Call]:
    """Give the calls that one request each takes. Raises `RequestRejected` for more texts than a call may have."""
    return batches.split(call, 1 if _purpose(call.body, target) == "image" else MOST_TEXTS)


def build_request(call: Call, target: Target) -> HttpRequest:
    """Render the call. Raises `UnsupportedParameter` and `RequestRejected`."""
    fields = named(call.body, target, _KNOWN)
    refuse(fields, _REFUSED, target)
    vectors.encoding_of(fields)
    purpose = _purpose(fields, target)
    texts = vectors.texts(fields.get("input"), target)
    body: JsonObject = {
        "model": target.model,
        "input_type": purpose,
        "images" if purpose == "image" else "texts": texts,
        "embedding_types": [_kind(fields)],
    }
    if "dimensions" in fields:
        body["output_dimension"] = fields["dimensions"]
    for name, value in fields.items():
        if name not in _KNOWN and body.setdefault(name, value) != value:
            raise twice(name)
    return post(f"{target.base_url}/v2/embed", body, bearer(target), target, stream=False)


DEFAULT_PURPOSE = "search_document"
"""What most vectors are made for."""


def parse_response(call: Call, target: Target, head: Head, body: bytes) -> Reply:  # noqa: ARG001 - the contract's
    """Read a 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
    try:
        value = msgspec.json.decode(body)
        if isinstance(value, dict) and isinstance(value.get("message"), str):
            raise reported(value)
        answer = msgspec.convert(value, _Answer)
        found = next(iter(answer.embeddings.values()), None)
        if found is None:
            raise MalformedResponse("The answer has no vectors.")
        return vectors.answer(call, target, found, _usage(answer.meta))
    except (ValueError, OverflowError, RecursionError):
        raise MalformedResponse("The answer is not one of Cohere's.") from None


def open_stream(call: Call, target: Target, head: Head) -> StreamDecoder:  # noqa: ARG001 - the contract's
    """Refuse: raises `RequestRejected`."""
    raise RequestRejected(
        "Embeddings cannot be streamed; leave `stream` out or set it to false.", param="stream"
    )


def _purpose(fields: JsonObject, target: Target) -> Json:
    return fields.get("input_type") or target.options.get("input_type", DEFAULT_PURPOSE)


def _kind(fields: JsonObject) -> str:
    """Give the one kind of number that is asked for: OpenAI's answer has room for one vector of each text."""
    kinds = fields.get("embedding_types") or ["float"]
    if not isinstance(kinds, list) or len(kinds) != 1 or not isinstance(kinds[0], str):
        raise RequestRejected("`embedding_types` must be a list of one type.", param="embedding_types")
    return kinds[0]


def _usage(meta: _Meta | None) -> Usage | None:
    if meta is None:
        return None
    units = meta.billed_units
    return Usage(input_tokens=int((units.input_tokens or 0) + (units.image_tokens or 0)))
