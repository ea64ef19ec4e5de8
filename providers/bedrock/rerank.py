"""Rerank: InvokeModel with the bodies of Cohere's and Amazon's models, which are Cohere's.

Wire format: https://docs.aws.amazon.com/bedrock/latest/userguide/rerank-supported.html and
https://docs.cohere.com/reference/rerank. Its functions are the contract of `providers/adapter.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from providers.adapter import StreamDecoder
from providers.bedrock import address
from providers.bedrock.errors import parse_error, parse_limits
from providers.cohere import rerank as cohere
from providers.errors import MalformedResponse, UnsupportedParameter
from providers.types import Call, Head, HttpRequest, JsonObject, Reply, Target, Usage

__all__ = ["build_request", "open_stream", "parse_error", "parse_limits", "parse_response"]

A_SEARCH = 100
"""Documents that are billed as one search (https://aws.amazon.com/bedrock/pricing/)."""

_BESIDE: Mapping[str, JsonObject] = {
    # A part of the name → what such a model is told beside.
    "cohere.rerank": {"api_version": 2},
    "amazon.rerank": {},
}


class _Result(msgspec.Struct):
    index: int
    relevance_score: float


class _Answer(msgspec.Struct):
    results: list[_Result]


def build_request(call: Call, target: Target) -> HttpRequest:
    """Render the call. Raises `UnsupportedParameter` and `RequestRejected`."""
    name = target.model.lower()
    beside = next((fields for part, fields in _BESIDE.items() if part in name), None)
    if beside is None:
        raise UnsupportedParameter(
            "Of the models at Bedrock, those of Cohere and Amazon are asked to rank; this is none by its name.",
            param="model",
        )
    return address.request(target, "invoke", {**cohere.asked(call, target), **beside})


def parse_response(call: Call, target: Target, head: Head, body: bytes) -> Reply:  # noqa: ARG001 - the contract's
    """Read a 2xx body. Raises `MalformedResponse`."""
    try:
        found = msgspec.json.decode(body, type=_Answer).results
    except (ValueError, RecursionError):
        raise MalformedResponse("The answer does not rank.") from None
    results = cohere.with_documents(call, [msgspec.to_builtins(each) for each in found])
    documents = call.body.get("documents")
    searches = max(1, math.ceil(len(documents) / A_SEARCH)) if isinstance(documents, list) else 1
    answer = {
        "id": head.headers.get("x-amzn-requestid") or f"rerank-{call.id}",
        "results": results,
        "meta": {"billed_units": {"search_units": searches}},
    }
    return Reply(msgspec.json.encode(answer), Usage(searches=searches))


def open_stream(call: Call, target: Target, head: Head) -> StreamDecoder:
    """Refuse: raises `RequestRejected`."""
    return cohere.open_stream(call, target, head)
