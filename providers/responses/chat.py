"""The chat adapter: `POST /responses` (https://platform.openai.com/docs/api-reference/responses)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from providers.adapter import StreamDecoder
from providers.errors import UpstreamError
from providers.openai import errors, limits
from providers.openai.request import post, written
from providers.responses import answer, request
from providers.responses.reading import Reading
from providers.responses.stream import ChatStream
from providers.types import Call, Head, HttpRequest, JsonObject, RateLimits, Reply, Target


@dataclass(frozen=True, slots=True)
class ResponsesChat:
    """The adapter of a server with the Responses API, or one of its own that is nearly that."""

    body: Callable[[Call, Target], JsonObject] = request.body
    reading: Callable[[Call, Target], Reading] = Reading

    def build_request(self, call: Call, target: Target) -> HttpRequest:
        """Render the call. Raises `UnsupportedParameter` and `RequestRejected`."""
        return post(call, target, "/responses", written(self.body(call, target)))

    def parse_response(self, call: Call, target: Target, head: Head, body: bytes) -> Reply:  # noqa: ARG002 - the contract's
        """Read a 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
        return answer.reply(self.reading(call, target), body)

    def parse_error(self, head: Head, body: bytes, now: float) -> UpstreamError:
        """Classify a non-2xx answer; `now` in Unix seconds. Total."""
        return errors.parse_error(head, body, now)

    def parse_limits(self, head: Head, now: float) -> RateLimits | None:
        """Read the `x-ratelimit-*` headers. Total."""
        return limits.parse_limits(head, now)

    def open_stream(self, call: Call, target: Target, head: Head) -> StreamDecoder:  # noqa: ARG002 - the contract's
        """Start reading a 2xx stream."""
        return ChatStream(call, self.reading(call, target))


CHAT = ResponsesChat()
