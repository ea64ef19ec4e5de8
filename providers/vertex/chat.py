"""The chat adapter: each model in its publisher's dialect. Its functions are the contract of `providers/adapter.py`."""

from __future__ import annotations

from providers.adapter import StreamDecoder
from providers.posting import post
from providers.types import Call, Head, HttpRequest, Reply, Target
from providers.vertex.address import credentials, method_url
from providers.vertex.errors import parse_error, parse_limits
from providers.vertex.publishers import publisher_of

__all__ = ["build_request", "open_stream", "parse_error", "parse_limits", "parse_response"]


def build_request(call: Call, target: Target) -> HttpRequest:
    """Render the call. Raises `UnsupportedParameter` and `RequestRejected`."""
    publisher = publisher_of(target.model)
    body, headers = publisher.ask(call, target)
    url = method_url(target, publisher.name, publisher.method(call))
    return post(url, body, {**headers, **credentials(target)}, target, stream=call.stream)


def parse_response(call: Call, target: Target, head: Head, body: bytes) -> Reply:  # noqa: ARG001 - the contract's
    """Read a 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
    return publisher_of(target.model).read(call, target, body)


def open_stream(call: Call, target: Target, head: Head) -> StreamDecoder:  # noqa: ARG001 - the contract's
    """Start reading a 2xx stream."""
    return publisher_of(target.model).open(call, target)
