"""Veo, which is asked and answers alike at Gemini's API and at Vertex AI. Wire formats: see `operation.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from providers.adapter import StreamDecoder
from providers.errors import MalformedResponse, RequestRejected, UpstreamError
from providers.gemini import operation, veo_request
from providers.gemini.errors import parse_error, parse_limits, reported
from providers.gemini.operation import Operation
from providers.types import Call, Head, HttpRequest, JsonObject, RateLimits, Reply, Target, Usage


def _no_stream(_call: Call, _head: Head) -> StreamDecoder:
    raise RequestRejected(
        "A video cannot be streamed; leave `stream` out or set it to false.", param="stream"
    )


def _no_file(_call: Call, _target: Target, _answer: Operation) -> Reply:
    raise MalformedResponse("A video was read as JSON.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Videos:
    """One step of a video's making. Implements `providers.adapter.Adapter`."""

    build: Callable[[Call, Target], HttpRequest]
    reply: Callable[[Call, Target, Operation], Reply] = _no_file
    opens: Callable[[Call, Head], StreamDecoder] = _no_stream

    def build_request(self, call: Call, target: Target) -> HttpRequest:
        """Render the call. Raises `UnsupportedParameter` and `RequestRejected`."""
        return self.build(call, target)

    def parse_response(self, call: Call, target: Target, head: Head, body: bytes) -> Reply:  # noqa: ARG002 - the contract's
        """Read a 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
        return self.reply(call, target, operation.read(body))

    def parse_error(self, head: Head, body: bytes, now: float) -> UpstreamError:
        """Classify a non-2xx answer; `now` in Unix seconds. Total."""
        return parse_error(head, body, now)

    def parse_limits(self, head: Head, now: float) -> RateLimits | None:
        """Give nothing: Google does not say what is left."""
        return parse_limits(head, now)

    def open_stream(self, call: Call, target: Target, head: Head) -> StreamDecoder:  # noqa: ARG002 - the contract's
        """Start reading a video's file. Raises `RequestRejected` where there is none."""
        return self.opens(call, head)


def submitted(call: Call, target: Target, answer: Operation) -> Reply:
    """Tell of a video that is to be made. Raises the error that is reported instead, or `MalformedResponse`."""
    name = operation.named(answer)
    seconds = veo_request.seconds(call, target)
    said = {**_said(call, target, "queued"), "id": name, "seconds": str(seconds)}
    return Reply(msgspec.json.encode(said), Usage(video_seconds=seconds), job=name)


def status(call: Call, target: Target, answer: Operation) -> Reply:
    """Tell how it fares. Raises the error that is reported of one that is not done."""
    if not answer.done:
        if answer.error:
            raise reported(answer.error)
        return Reply(msgspec.json.encode(_said(call, target, "in_progress")), Usage())
    failure = answer.failure()
    said = _said(call, target, "failed" if failure else "completed")
    if failure:
        said["error"] = {"code": "video_generation_failed", "message": failure}
    elif place := answer.videos()[0].gcs_uri:
        said["video"] = {"url": place}
    return Reply(msgspec.json.encode(said), Usage())


def _said(call: Call, target: Target, status: str) -> JsonObject:
    return {
        "id": call.job,
        "object": "video",
        "status": status,
        "created_at": call.created,
        "progress": 100 if status == "completed" else 0,
        "model": target.model,
    }
