"""Videos: Veo, submitted as a long-running prediction (https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/veo-video-generation).

What was made comes within the operation: its status leaves it out, and its content is nothing else. Fields
that OpenAI does not have go to `parameters` untouched; with `storageUri` the video is in that bucket alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from providers import shape
from providers.adapter import StreamDecoder
from providers.asked import merge, named, unsupported
from providers.errors import MalformedResponse, RequestRejected, UpstreamError
from providers.gemini.errors import parse_error, parse_limits, reported
from providers.posting import post
from providers.types import Call, Head, HttpRequest, JsonObject, RateLimits, Reply, Target, Usage
from providers.vertex.address import credentials, method_url
from providers.vertex.operation import FileStream, Operation, read

_KNOWN = frozenset({"input_reference", "model", "prompt", "seconds", "size", "stream", "user"})
_LENGTH = 8
"""Seconds of a video whose length nobody says, as Veo has it."""
_SIZES: Mapping[str, JsonObject] = MappingProxyType(
    {
        # 720 lines need not be said, and Veo 2 has no word for them.
        "1280x720": {"aspectRatio": "16:9"},
        "720x1280": {"aspectRatio": "9:16"},
        "1920x1080": {"aspectRatio": "16:9", "resolution": "1080p"},
        "1080x1920": {"aspectRatio": "9:16", "resolution": "1080p"},
    }
)


def _no_stream(_call: Call, _target: Target) -> StreamDecoder:
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
    opens: Callable[[Call, Target], StreamDecoder] = _no_stream

    def build_request(self, call: Call, target: Target) -> HttpRequest:
        """Render the call. Raises `UnsupportedParameter` and `RequestRejected`."""
        return self.build(call, target)

    def parse_response(self, call: Call, target: Target, head: Head, body: bytes) -> Reply:  # noqa: ARG002 - the contract's
        """Read a 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
        return self.reply(call, target, read(body))

    def parse_error(self, head: Head, body: bytes, now: float) -> UpstreamError:
        """Classify a non-2xx answer; `now` in Unix seconds. Total."""
        return parse_error(head, body, now)

    def parse_limits(self, head: Head, now: float) -> RateLimits | None:
        """Give nothing: Google does not say what is left."""
        return parse_limits(head, now)

    def open_stream(self, call: Call, target: Target, head: Head) -> StreamDecoder:  # noqa: ARG002 - the contract's
        """Start reading a video's file. Raises `RequestRejected` where there is none."""
        return self.opens(call, target)


def _submit(call: Call, target: Target) -> HttpRequest:
    fields = named(call.body, target, _KNOWN)
    if fields.get("stream"):
        _no_stream(call, target)
    if "input_reference" in fields or call.files:
        raise unsupported("input_reference", target)
    parameters: JsonObject = {"sampleCount": 1, "durationSeconds": _seconds(fields)}
    if "size" in fields:
        size = shape.text(fields["size"], "size")
        if size not in _SIZES:
            raise unsupported("size", target, f"It takes {', '.join(_SIZES)}. ")
        merge(parameters, _SIZES[size])
    merge(parameters, {name: value for name, value in fields.items() if name not in _KNOWN})
    prompt = shape.text(fields.get("prompt"), "prompt")
    body = {"instances": [{"prompt": prompt}], "parameters": parameters}
    return _asked(target, "predictLongRunning", body)


def _about(call: Call, target: Target) -> HttpRequest:
    return _asked(target, "fetchPredictOperation", {"operationName": call.job})


def _asked(target: Target, method: str, body: JsonObject) -> HttpRequest:
    return post(method_url(target, "google", method), body, credentials(target), target, stream=False)


def _seconds(fields: JsonObject) -> int:
    given = fields.get("seconds", fields.get("durationSeconds", _LENGTH))
    # A form has texts only, and so has OpenAI's SDK.
    if isinstance(given, str) and given.isdecimal() and len(given) < 5:
        given = int(given)
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise RequestRejected("`seconds` must be a whole number, 1 or more.", param="seconds")
    return given


def _submitted(call: Call, target: Target, answer: Operation) -> Reply:
    if not answer.name:
        raise reported(answer.error) if answer.error else MalformedResponse("The answer names no operation.")
    seconds = _seconds(named(call.body, target, _KNOWN))
    said = {**_said(call, target, "queued"), "id": answer.name, "seconds": str(seconds)}
    return Reply(msgspec.json.encode(said), Usage(video_seconds=seconds), job=answer.name)


def _status(call: Call, target: Target, answer: Operation) -> Reply:
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


SUBMIT = Videos(build=_submit, reply=_submitted)
STATUS = Videos(build=_about, reply=_status)
CONTENT = Videos(build=_about, opens=lambda _call, _target: FileStream())
