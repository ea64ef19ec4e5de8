"""The embeddings adapter: `:batchEmbedContents` (https://ai.google.dev/api/embeddings).

Fields that OpenAI does not have go to every text's request: `taskType`, `title` …
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
from providers.gemini.address import credentials, method_url, segment
from providers.gemini.errors import parse_error, parse_limits, reported, under_success
from providers.posting import post
from providers.types import Call, Head, HttpRequest, JsonObject, Reply, Target, Usage

__all__ = [
    "build_request",
    "join",
    "open_stream",
    "parse_error",
    "parse_limits",
    "parse_response",
    "split",
]

MOST_TEXTS = 100
"""Texts that one request may hold."""


class _Vector(msgspec.Struct, frozen=True):
    values: list[float]


class _Usage(msgspec.Struct, frozen=True, rename="camel"):
    prompt_token_count: Annotated[int, msgspec.Meta(ge=0)] = 0


class _Answer(msgspec.Struct, frozen=True, rename="camel"):
    embeddings: list[_Vector] = []
    usage_metadata: _Usage | None = None
    error: object = None


_ANSWER = msgspec.json.Decoder(_Answer)
_KNOWN = frozenset({"dimensions", "encoding_format", "input", "model", "stream", "user"})


def split(call: Call, target: Target) -> Sequence[Call]:  # noqa: ARG001 - the contract's
    """Give the calls that one request each takes. Raises `RequestRejected` for more texts than a call may have."""
    return batches.split(call, MOST_TEXTS)


def build_request(call: Call, target: Target) -> HttpRequest:
    """Render the call. Raises `UnsupportedParameter` and `RequestRejected`."""
    fields = named(call.body, target, _KNOWN)
    vectors.check_encoding(fields)
    shared: JsonObject = {"model": f"models/{segment(target.model)}"}
    if "dimensions" in fields:
        shared["outputDimensionality"] = fields["dimensions"]
    shared |= {name: value for name, value in fields.items() if name not in _KNOWN}
    requests = [{**shared, "content": {"parts": [{"text": text}]}} for text in vectors.texts(fields, target)]
    url = method_url(target, "batchEmbedContents")
    return post(url, {"requests": requests}, credentials(target), target, stream=False)


def parse_response(call: Call, target: Target, head: Head, body: bytes) -> Reply:  # noqa: ARG001 - the contract's
    """Read a 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
    try:
        answer = _ANSWER.decode(body)
    except (ValueError, RecursionError):
        raise under_success(body) from None
    if answer.error is not None:
        raise reported(answer.error)
    if not answer.embeddings:
        raise MalformedResponse("The answer holds no embedding.")
    counted = answer.usage_metadata
    usage = Usage(input_tokens=counted.prompt_token_count) if counted else None
    return vectors.reply(call, target, [each.values for each in answer.embeddings], usage)


def open_stream(call: Call, target: Target, head: Head) -> StreamDecoder:  # noqa: ARG001 - the contract's
    """Refuse: raises `RequestRejected`."""
    raise vectors.not_streamed()
