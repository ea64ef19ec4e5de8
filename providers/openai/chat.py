"""Chat completions in OpenAI's dialect (https://platform.openai.com/docs/api-reference/chat)."""

from __future__ import annotations

from providers.adapter import StreamDecoder
from providers.openai import request, response, stream
from providers.openai.errors import parse_error
from providers.openai.limits import parse_limits
from providers.openai.wire import CHAT
from providers.types import Call, Head, HttpRequest, Reply, Target

__all__ = ["build_request", "open_stream", "parse_error", "parse_limits", "parse_response"]


def build_request(call: Call, target: Target) -> HttpRequest:
    """Render the call, with the target's names, drops and quirks. Raises `RequestRejected`."""
    return request.build(call, target, CHAT.path)


def parse_response(call: Call, target: Target, head: Head, body: bytes) -> Reply:  # noqa: ARG001 - the contract's
    """Read a complete 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
    return response.parse(call, target, body, CHAT)


def open_stream(call: Call, target: Target, head: Head) -> StreamDecoder:  # noqa: ARG001 - the contract's
    """Start reading a 2xx stream."""
    return stream.open(call, target, CHAT)
