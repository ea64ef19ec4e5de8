"""The chat adapter: `POST /v1/messages` (https://docs.anthropic.com/en/api/messages).

Its functions are the contract of `providers/adapter.py`.
"""

from __future__ import annotations

from providers.adapter import StreamDecoder
from providers.anthropic import request, response
from providers.anthropic.errors import parse_error, parse_limits
from providers.anthropic.stream import ChatStream
from providers.posting import post
from providers.types import Call, Head, HttpRequest, Reply, Target

__all__ = ["build_request", "open_stream", "parse_error", "parse_limits", "parse_response"]

VERSION = "2023-06-01"
"""The version that takes sampling parameters and everything else the translation may send."""


def build_request(call: Call, target: Target) -> HttpRequest:
    """Render the call. Raises `UnsupportedParameter` and `RequestRejected`."""
    headers = {"anthropic-version": VERSION}
    if target.credential:
        headers["x-api-key"] = target.credential.reveal()
    url = f"{target.base_url}/v1/messages"
    return post(url, request.body(call, target), headers, target, stream=call.stream)


def parse_response(call: Call, target: Target, head: Head, body: bytes) -> Reply:  # noqa: ARG001 - the contract's
    """Read a 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
    return response.reply(call, body)


def open_stream(call: Call, target: Target, head: Head) -> StreamDecoder:  # noqa: ARG001 - the contract's
    """Start reading a 2xx stream."""
    return ChatStream(call)
