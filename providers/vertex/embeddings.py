"""The embeddings adapter: `:predict` (https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api).

`task_type` and `title` go to every text, other fields that OpenAI does not have to `parameters`. A
text that is too long is refused, as OpenAI does, unless the client says `autoTruncate: true`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from providers import batches
from providers.adapter import StreamDecoder
from providers.asked import named
from providers.batches import join
from providers.errors import MalformedResponse
from providers.gemini import vectors
from providers.gemini.errors import reported, under_success
from providers.posting import post
from providers.types import Call, Head, HttpRequest, JsonObject, Reply, Target, Usage
from providers.vertex.address import credentials, method_url
from providers.vertex.errors import parse_error, parse_limits

__all__ = [
    "build_request",
    "join",
    "open_stream",
    "parse_error",
    "parse_limits",
    "parse_response",
    "split",
]

MOST_TEXTS = 250
"""Texts that one request may hold; one of Gemini's models takes a single one."""
_ALONE = "gemini-embedding"
"""A part of the names of those."""


class _Statistics(msgspec.Struct, frozen=True):
    token_count: Annotated[float, msgspec.Meta(ge=0, le=2**53)] | None = None


class _Embeddings(msgspec.Struct, frozen=True):
    values: list[float]
    statistics: _Statistics = _Statistics()


class _Prediction(msgspec.Struct, frozen=True):
    embeddings: _Embeddings


class _Answer(msgspec.Struct, frozen=True):
    predictions: list[_Prediction] = []
    error: object = None


_ANSWER = msgspec.json.Decoder(_Answer)
_OF_EACH = frozenset({"task_type", "title"})
_KNOWN = frozenset({"dimensions", "encoding_format", "input", "model", "stream", "user"})


def split(call: Call, target: Target) -> Sequence[Call]:
    """Give the calls that one request each takes. Raises `RequestRejected` for more texts than a call may have."""
    return batches.split(call, 1 if _ALONE in target.model.lower() else MOST_TEXTS)


def build_request(call: Call, target: Target) -> HttpRequest:
    """Render the call. Raises `UnsupportedParameter` and `RequestRejected`."""
    fields = named(call.body, target, _KNOWN)
    vectors.check_encoding(fields)
    shared = {name: fields[name] for name in _OF_EACH if name in fields}
    parameters: JsonObject = {"autoTruncate": False}
    if "dimensions" in fields:
        parameters["outputDimensionality"] = fields["dimensions"]
    parameters |= {name: value for name, value in fields.items() if name not in _KNOWN | _OF_EACH}
    instances = [{"content": text, **shared} for text in vectors.texts(fields, target)]
    url = method_url(target, "google", "predict")
    body = {"instances": instances, "parameters": parameters}
    return post(url, body, credentials(target), target, stream=False)


def parse_response(call: Call, target: Target, head: Head, body: bytes) -> Reply:  # noqa: ARG001 - the contract's
    """Read a 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
    try:
        answer = _ANSWER.decode(body)
    except (ValueError, RecursionError):
        raise under_success(body) from None
    if answer.error is not None:
        raise reported(answer.error)
    if not answer.predictions:
        raise MalformedResponse("The answer holds no embedding.")
    found = [each.embeddings for each in answer.predictions]
    counts = [each.statistics.token_count for each in found if each.statistics.token_count is not None]
    usage = Usage(input_tokens=int(sum(counts))) if counts else None
    return vectors.reply(call, target, [each.values for each in found], usage)


def open_stream(call: Call, target: Target, head: Head) -> StreamDecoder:  # noqa: ARG001 - the contract's
    """Refuse: raises `RequestRejected`."""
    raise vectors.not_streamed()
