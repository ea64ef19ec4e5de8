"""The rerank adapter: `POST /v2/rerank` (https://docs.cohere.com/reference/rerank).

Its functions are the contract of `providers/adapter.py`. The gateway's own shape is Cohere's, so
bodies travel as they are, but for what version 1 took beside: documents as objects, and
`return_documents`, which is answered here; its other fields are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from providers import shape
from providers.adapter import StreamDecoder
from providers.asked import Neutral, named, refuse
from providers.bearer import bearer
from providers.cohere.errors import parse_error, parse_limits, reported
from providers.cohere.wire import Count
from providers.errors import MalformedResponse, RequestRejected, UnsupportedParameter
from providers.posting import post
from providers.types import Call, Head, HttpRequest, Json, JsonObject, Reply, Target, Usage

__all__ = ["build_request", "open_stream", "parse_error", "parse_limits", "parse_response"]

_OF_V1: Mapping[str, Neutral] = MappingProxyType(
    {"max_chunks_per_doc": lambda _: False, "rank_fields": lambda value: value == ["text"]}
)
_OURS = frozenset({"model", "documents", "return_documents", "stream"})


class _Units(msgspec.Struct):
    search_units: Count | None = None
    input_tokens: Count | None = None


class _Meta(msgspec.Struct):
    billed_units: _Units = msgspec.field(default_factory=_Units)


class _Result(msgspec.Struct):
    index: int
    relevance_score: float


class _Answer(msgspec.Struct):
    results: list[_Result]
    meta: _Meta = msgspec.field(default_factory=_Meta)


def build_request(call: Call, target: Target) -> HttpRequest:
    """Render the call. Raises `UnsupportedParameter` and `RequestRejected`."""
    body = {"model": target.model, **asked(call, target)}
    return post(f"{target.base_url}/v2/rerank", body, bearer(target), target, stream=False)


def asked(call: Call, target: Target) -> JsonObject:
    """Give the body, without the model. Raises `UnsupportedParameter` and `RequestRejected`."""
    fields = named(call.body, target, _OURS)
    refuse(fields, _OF_V1, target)
    untouched = {name: value for name, value in fields.items() if name not in _OURS | _OF_V1.keys()}
    return {**untouched, "documents": _documents(fields)}


def parse_response(call: Call, target: Target, head: Head, body: bytes) -> Reply:  # noqa: ARG001 - the contract's
    """Read a 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
    try:
        value = msgspec.json.decode(body)
        if isinstance(value, dict) and isinstance(value.get("message"), str):
            raise reported(value)
        answer = msgspec.convert(value, _Answer)
    except (ValueError, RecursionError):
        raise MalformedResponse("The answer is not one of Cohere's.") from None
    units = answer.meta.billed_units
    usage = Usage(input_tokens=int(units.input_tokens or 0), searches=int(units.search_units or 0))
    if call.body.get("return_documents") is not True:
        return Reply(body, usage)
    return Reply(msgspec.json.encode({**value, "results": with_documents(call, value["results"])}), usage)


def with_documents(call: Call, results: list[JsonObject]) -> list[JsonObject]:
    """Give results with the documents that they rank, where the call asks for them. Raises `MalformedResponse`."""
    if call.body.get("return_documents") is not True:
        return results
    return [{**each, "document": _document(call.body, each["index"])} for each in results]


def open_stream(call: Call, target: Target, head: Head) -> StreamDecoder:  # noqa: ARG001 - the contract's
    """Refuse: raises `RequestRejected`."""
    raise RequestRejected(
        "Rankings cannot be streamed; leave `stream` out or set it to false.", param="stream"
    )


def _documents(fields: JsonObject) -> list[str]:
    listed = shape.listing(fields.get("documents"), "documents")
    return [_text(each, f"documents[{index}]") for index, each in enumerate(listed)]


def _text(document: Json, at: str) -> str:
    text = document.get("text") if isinstance(document, dict) else document
    if isinstance(text, str):
        return text
    raise UnsupportedParameter(
        f"`{at}` must be a text, or an object with a `text`. Write other objects as YAML in a text.", param=at
    )


def _document(asked: Mapping[str, Json], index: int) -> JsonObject:
    documents = asked.get("documents")
    if not isinstance(documents, list) or not 0 <= index < len(documents):
        raise MalformedResponse("The answer ranks a document that was not sent.")
    document = documents[index]
    return document if isinstance(document, dict) else {"text": document}
