"""The embeddings adapter: `POST /api/embed` (https://docs.ollama.com/api/embed).

Its functions are the contract of `providers/adapter.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from providers import vectors
from providers.adapter import StreamDecoder
from providers.asked import Neutral, named, refuse
from providers.bearer import bearer
from providers.errors import MalformedResponse, RequestRejected
from providers.ollama.address import root_of
from providers.ollama.errors import parse_error, parse_limits, reported
from providers.ollama.wire import Count
from providers.posting import post
from providers.types import Call, Head, HttpRequest, JsonObject, Reply, Target, Usage

__all__ = ["build_request", "open_stream", "parse_error", "parse_limits", "parse_response"]

_REFUSED: Mapping[str, Neutral] = {"user": lambda _: False}
_KNOWN = frozenset({"dimensions", "encoding_format", "input", "model", "stream", "stream_options", "user"})
_UNTOUCHED = frozenset({"dimensions"})


class _Answer(msgspec.Struct):
    embeddings: list[list[float]]
    model: str | None = None
    prompt_eval_count: Count | None = None


def build_request(call: Call, target: Target) -> HttpRequest:
    """Render the call. Raises `UnsupportedParameter` and `RequestRejected`."""
    fields = named(call.body, target, _KNOWN)
    refuse(fields, _REFUSED, target)
    vectors.encoding_of(fields)
    untouched = {name: item for name, item in fields.items() if name not in _KNOWN or name in _UNTOUCHED}
    body: JsonObject = {
        "model": target.model,
        "input": vectors.texts(fields.get("input"), target),
        **untouched,
    }
    return post(f"{root_of(target.base_url)}/api/embed", body, bearer(target), target, stream=False)


def parse_response(call: Call, target: Target, head: Head, body: bytes) -> Reply:  # noqa: ARG001 - the contract's
    """Read a 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
    try:
        value = msgspec.json.decode(body)
        if isinstance(value, dict) and value.get("error"):
            raise reported(value)
        answer = msgspec.convert(value, _Answer)
        usage = None if answer.prompt_eval_count is None else Usage(answer.prompt_eval_count)
        return vectors.answer(call, target, answer.embeddings, usage, answer.model)
    except (ValueError, OverflowError, RecursionError):
        raise MalformedResponse("The answer is not one of Ollama's.") from None


def open_stream(call: Call, target: Target, head: Head) -> StreamDecoder:  # noqa: ARG001 - the contract's
    """Refuse: raises `RequestRejected`."""
    raise RequestRejected(
        "Embeddings cannot be streamed; leave `stream` out or set it to false.", param="stream"
    )
