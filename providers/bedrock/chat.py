"""The chat adapter: Converse and ConverseStream. Its functions are the contract of `providers/adapter.py`."""

from __future__ import annotations

from providers.adapter import StreamDecoder
from providers.bedrock import address, request, response
from providers.bedrock.errors import parse_error, parse_limits
from providers.bedrock.stream import ConverseStream
from providers.types import Call, Head, HttpRequest, Reply, Target

__all__ = ["build_request", "open_stream", "parse_error", "parse_limits", "parse_response"]


def build_request(call: Call, target: Target) -> HttpRequest:
    """Render the call. Raises `UnsupportedParameter` and `RequestRejected`."""
    body = request.body(call, target)
    if call.stream:
        return address.request(target, "converse-stream", body, accept=address.EVENT_STREAM)
    return address.request(target, "converse", body)


def parse_response(call: Call, target: Target, head: Head, body: bytes) -> Reply:
    """Read a 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
    return response.reply(call, target, head, body)


def open_stream(call: Call, target: Target, head: Head) -> StreamDecoder:
    """Start reading a 2xx stream."""
    return ConverseStream(call, target, head)
