"""Embeddings: `POST /v1/embeddings`, whose vectors are bytes with a sign.

Wire format: https://docs.perplexity.ai/api-reference/embeddings-post. A client gets each number as a
fraction of 127: directions, which is what vectors are compared by, stay as they are.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Sequence

from providers import asked, batches
from providers.adapter import StreamDecoder
from providers.batches import join
from providers.errors import MalformedResponse, UnsupportedParameter
from providers.openai import embeddings, request
from providers.openai.errors import parse_error
from providers.openai.limits import parse_limits
from providers.openai.response import WHAT
from providers.openai.wire import decode, encode_answer, objects
from providers.types import Call, Head, HttpRequest, Json, Reply, Target

__all__ = [
    "build_request",
    "join",
    "open_stream",
    "parse_error",
    "parse_limits",
    "parse_response",
    "split",
]

_LARGEST = 127.0
MOST_TEXTS = 512
"""Texts that one request may hold."""


def split(call: Call, target: Target) -> Sequence[Call]:  # noqa: ARG001 - the contract's
    """Give the calls that one request each takes. Raises `RequestRejected` for more texts than a call may have."""
    return batches.split(call, MOST_TEXTS)


def build_request(call: Call, target: Target) -> HttpRequest:
    """Render the call. Raises `UnsupportedParameter` for tokens and encodings that it does not take."""
    given = call.body.get("input")
    texts = given if isinstance(given, list) else [given]
    if not all(isinstance(text, str) for text in texts):
        raise UnsupportedParameter(f"`{target.name}` takes texts as `input`, and no tokens.", param="input")
    if call.body.get("encoding_format") not in (None, "float", "base64"):
        raise asked.unsupported("encoding_format", target, "It is float or base64. ")
    body = {name: value for name, value in call.body.items() if name != "encoding_format"}
    return request.build(Call(call.operation, call.model, body, call.id, call.created), target, "/embeddings")


def parse_response(call: Call, target: Target, head: Head, body: bytes) -> Reply:
    """Read a 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
    answer = decode(body, WHAT)
    if isinstance(answer, dict) and isinstance(answer.get("data"), list):
        items = objects(answer["data"], "the list of embeddings")
        answer["data"] = [{**item, "embedding": _vector(item.get("embedding"))} for item in items]
    return embeddings.parse_response(call, target, head, encode_answer(answer, WHAT))


def open_stream(call: Call, target: Target, head: Head) -> StreamDecoder:
    """Refuse: raises `RequestRejected`."""
    return embeddings.open_stream(call, target, head)


def _vector(given: Json) -> list[float]:
    if not isinstance(given, str):
        raise MalformedResponse("an embedding is not the bytes that were asked for")
    try:
        data = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedResponse("an embedding is not in base64") from error
    return [number / _LARGEST for number in struct.unpack(f"{len(data)}b", data)]
