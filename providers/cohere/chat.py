"""The chat adapter: `POST /v2/chat` (https://docs.cohere.com/reference/chat).

Its functions are the contract of `providers/adapter.py`.
"""

from __future__ import annotations

from providers.adapter import StreamDecoder
from providers.bearer import bearer
from providers.cohere import request, response
from providers.cohere.errors import parse_error, parse_limits
from providers.cohere.stream import ChatStream
from providers.posting import post
from providers.types import Call, Head, HttpRequest, Reply, Target

__all__ = ["build_request", "open_stream", "parse_error", "parse_limits", "parse_response"]


def build_request(call: Call, target: Target) -> HttpRequest:
    """Render the call. Raises `UnsupportedParameter` and `RequestRejected`."""
    body = request.body(call, target)
    return post(f"{target.base_url}/v2/chat", body, bearer(target), target, stream=call.stream)


def parse_response(call: Call, target: Target, head: Head, body: bytes) -> Reply:  # noqa: ARG001 - the contract's
    """Read a 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
    return response.reply(call, target, body)


def open_stream(call: Call, target: Target, head: Head) -> StreamDecoder:  # noqa: ARG001 - the contract's
    """Start reading a 2xx stream."""
    return ChatStream(call, target)
