"""Any operation of OpenAI's dialect, as Azure has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from providers.adapter import Adapter, StreamDecoder
from providers.azure import address
from providers.errors import UpstreamError
from providers.types import Call, Head, HttpRequest, RateLimits, Reply, Target


@dataclass(frozen=True, slots=True)
class Azure:
    """Implements `providers.adapter.Adapter`. Bodies and their reading are those of the adapter inside."""

    inside: Adapter
    opened: Callable[[Call, Target, Head], StreamDecoder]
    """Starts reading a stream."""

    def build_request(self, call: Call, target: Target) -> HttpRequest:
        """Render the call for OpenAI, and readdress it. Raises `RequestRejected`."""
        request = self.inside.build_request(call, target)
        url = address.of(target, request.url.removeprefix(target.base_url))
        # Tokens of Entra's come later, and keep their name.
        headers = tuple(
            _key(value) if name == "authorization" else (name, value) for name, value in request.headers
        )
        return HttpRequest(request.method, url, headers, request.body)

    def parse_response(self, call: Call, target: Target, head: Head, body: bytes) -> Reply:
        """Read a complete 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
        return self.inside.parse_response(call, target, head, body)

    def parse_error(self, head: Head, body: bytes, now: float) -> UpstreamError:
        """Classify a non-2xx answer; `now` in Unix seconds. Total."""
        return self.inside.parse_error(head, body, now)

    def parse_limits(self, head: Head, now: float) -> RateLimits | None:
        """Read what is left of the limits. Total."""
        return self.inside.parse_limits(head, now)

    def open_stream(self, call: Call, target: Target, head: Head) -> StreamDecoder:
        """Start reading a 2xx stream."""
        return self.opened(call, target, head)


def _key(bearer: str) -> tuple[str, str]:
    return "api-key", bearer.removeprefix("Bearer ")
