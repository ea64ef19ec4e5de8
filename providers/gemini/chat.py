"""The chat adapter: `:generateContent` and `:streamGenerateContent` (https://ai.google.dev/api/generate-content).

Its functions are the contract of `providers/adapter.py`.
"""

from __future__ import annotations

from providers.adapter import StreamDecoder
from providers.gemini import request, response
from providers.gemini.address import credentials, method_url
from providers.gemini.errors import parse_error, parse_limits
from providers.gemini.stream import ChatStream
from providers.posting import post
from providers.types import Call, Head, HttpRequest, Reply, Target

__all__ = ["build_request", "open_stream", "parse_error", "parse_limits", "parse_response"]


def build_request(call: Call, target: Target) -> HttpRequest:
    """Render the call. Raises `UnsupportedParameter` and `RequestRejected`."""
    url = method_url(target, request.method(call))
    return post(url, request.body(call, target), credentials(target), target, stream=call.stream)


def parse_response(call: Call, target: Target, head: Head, body: bytes) -> Reply:  # noqa: ARG001 - the contract's
    """Read a 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
    return response.reply(call, target, body)


def open_stream(call: Call, target: Target, head: Head) -> StreamDecoder:  # noqa: ARG001 - the contract's
    """Start reading a 2xx stream."""
    return ChatStream(call, target)
