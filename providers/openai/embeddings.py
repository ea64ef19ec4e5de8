"""Embeddings in OpenAI's dialect (https://platform.openai.com/docs/api-reference/embeddings)."""

from __future__ import annotations

import msgspec

from providers.adapter import StreamDecoder
from providers.errors import MalformedResponse, RequestRejected
from providers.openai import report, request, usage, vectors, wire
from providers.openai.errors import parse_error
from providers.openai.limits import parse_limits
from providers.openai.response import WHAT, unlike
from providers.types import Call, Head, HttpRequest, Json, JsonObject, Reply, Target

__all__ = ["build_request", "open_stream", "parse_error", "parse_limits", "parse_response"]


class _Answer(msgspec.Struct):
    """As much of an exact answer as the account needs: the vectors stay unread."""

    data: list[dict[str, msgspec.Raw]]
    usage: Json = None
    model: Json = None
    error: Json = None


_answer = msgspec.json.Decoder(_Answer)


def build_request(call: Call, target: Target) -> HttpRequest:
    """Render the call, with the target's names and drops. Raises `RequestRejected`."""
    return request.build(call, target, "/embeddings")


def parse_response(call: Call, target: Target, head: Head, body: bytes) -> Reply:  # noqa: ARG001 - the contract's
    """Read a complete 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
    return _exact(target, body) if target.quirks.exact else _clean(call, target, body)


def open_stream(call: Call, target: Target, head: Head) -> StreamDecoder:  # noqa: ARG001 - the contract's
    """Refuse: raises `RequestRejected`."""
    raise RequestRejected(
        "Embeddings cannot be streamed; leave `stream` out or set it to false.", param="stream"
    )


def _exact(target: Target, body: bytes) -> Reply:
    try:
        answer = _answer.decode(body)
    except wire.UNREADABLE as error:
        raise unlike(body) from error
    if answer.error:
        raise unlike(body)
    return Reply(body, usage.read(answer.usage, target.quirks), wire.text_or_none(answer.model))


def _clean(call: Call, target: Target, body: bytes) -> Reply:
    answer = wire.decode(body, WHAT)
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list) or report.is_error(answer):
        raise unlike(body)
    model = wire.text_or_none(answer.get("model"))
    answer["object"] = "list"
    answer["model"] = model or target.model
    form = vectors.FORMS.get(call.body.get("encoding_format") or "float", vectors.unchanged)
    answer["data"] = [
        _vector(item, n, form)
        for n, item in enumerate(wire.objects(answer["data"], "the list of embeddings"))
    ]
    counts = usage.read(answer.get("usage"), target.quirks)
    if counts is not None:
        answer["usage"] = {**answer["usage"], "prompt_tokens": counts.input_tokens}
        answer["usage"].setdefault("total_tokens", counts.input_tokens)
    return Reply(wire.encode_answer(answer, WHAT), counts, model)


def _vector(item: JsonObject, position: int, form: vectors.Form) -> JsonObject:
    vector = item.get("embedding")
    if not isinstance(vector, list | str):
        raise MalformedResponse("an embedding has no vector")
    index = wire.whole_number(item.get("index"))
    index = position if index is None else index
    return {**item, "object": "embedding", "index": index, "embedding": form(vector)}
