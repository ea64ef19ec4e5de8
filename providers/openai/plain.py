"""The adapter of an operation that has one JSON object, or bytes that are passed on, for an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from providers.adapter import StreamDecoder
from providers.errors import RequestRejected, UpstreamError
from providers.openai import errors, limits, report, request, wire
from providers.openai.response import WHAT, unlike
from providers.types import Call, Head, HttpRequest, JsonObject, RateLimits, Reply, Target, Usage

Builds = Callable[[Call, Target], HttpRequest]
Reads = Callable[[Call, Target, JsonObject], tuple[JsonObject, Usage | None]]
"""Makes an answer what the client expects, and says what was used. Raises `MalformedResponse`."""
Opens = Callable[[Call, Head], StreamDecoder]
Names = Callable[[JsonObject], str]
"""Gives what the provider calls what was submitted, from the clean answer."""


def _no_stream(call: Call, _head: Head) -> StreamDecoder:
    raise RequestRejected(
        f"An answer to {call.operation} cannot be streamed; leave `stream` out or set it to false.",
        param="stream",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """Implements `providers.adapter.Adapter`."""

    build: Builds
    read: Reads
    opens: Opens = _no_stream
    job: Names = lambda _: ""

    def build_request(self, call: Call, target: Target) -> HttpRequest:
        """Render the call, with the target's names, drops and quirks. Raises `RequestRejected`."""
        return self.build(call, target)

    def parse_response(self, call: Call, target: Target, head: Head, body: bytes) -> Reply:  # noqa: ARG002 - the contract's
        """Read a complete 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
        answer = wire.decode(body, WHAT)
        if not isinstance(answer, dict) or report.is_error(answer):
            raise unlike(body)
        model = wire.text_or_none(answer.get("model"))
        clean, used = self.read(call, target, answer)
        # What is clean goes on byte for byte: pictures are large.
        whole = body if target.quirks.exact else wire.encode_answer(clean, WHAT)
        return Reply(whole, used, model, job=self.job(clean))

    def parse_error(self, head: Head, body: bytes, now: float) -> UpstreamError:
        """Classify a non-2xx answer; `now` in Unix seconds. Total."""
        return errors.parse_error(head, body, now)

    def parse_limits(self, head: Head, now: float) -> RateLimits | None:
        """Read what the provider says is left of its limits. Total."""
        return limits.parse_limits(head, now)

    def open_stream(self, call: Call, target: Target, head: Head) -> StreamDecoder:  # noqa: ARG002 - the contract's
        """Start reading a 2xx answer that is passed on. Raises `RequestRejected` where there is no such."""
        return self.opens(call, head)


def posting(path: str) -> Builds:
    """Give what sends a call's fields as JSON, or as a form where files came with it."""

    def build(call: Call, target: Target) -> HttpRequest:
        return request.form(call, target, path) if call.files else request.build(call, target, path)

    return build
