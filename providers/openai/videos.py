"""Videos: submitted, asked about, fetched, deleted (https://platform.openai.com/docs/api-reference/videos).

xAI and Together have the same steps with other words, which are said as OpenAI says them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote, urlencode

from providers.adapter import StreamDecoder
from providers.asked import unsupported
from providers.errors import MalformedResponse, RequestRejected, UpstreamError
from providers.openai import counts, data_urls, errors, images, limits, passing, report, request, wire
from providers.openai.plain import Plain
from providers.openai.response import WHAT, unlike
from providers.types import Call, Head, HttpRequest, Json, JsonObject, RateLimits, Reply, Target, Usage

_STATUS: Mapping[Json, str] = MappingProxyType(
    {
        "done": "completed",
        "succeeded": "completed",
        "pending": "queued",
        "running": "in_progress",
        "processing": "in_progress",
        "expired": "failed",
        "cancelled": "failed",
    }
)
"""Other providers' words for OpenAI's `queued`, `in_progress`, `completed` and `failed`."""


@dataclass(frozen=True, slots=True)
class Jobs:
    """To submit one (without a `suffix` of its own), or to ask how it fares. Implements `providers.adapter.Adapter`."""

    submits: bool

    def build_request(self, call: Call, target: Target) -> HttpRequest:
        """Render the call. Raises `RequestRejected`."""
        if not self.submits:
            return about(call, target, "GET")
        if target.quirks.first_picture is not None:
            return _from_picture(call, target, *target.quirks.first_picture)
        if call.files:
            return request.form(call, target, "/videos")
        return request.post(call, target, "/videos", request.written(_spelled(call, target)))

    def parse_response(self, call: Call, target: Target, head: Head, body: bytes) -> Reply:
        """Read what the provider says of a video. Raises `MalformedResponse`, or the error that the body reports."""
        answer = wire.decode(body, WHAT)
        failed = isinstance(answer, dict) and "status" in answer and not self.submits
        if not isinstance(answer, dict) or (report.is_error(answer) and not failed):
            raise unlike(body)
        job = call.job or _id(answer)
        clean = _said(call, target, answer, running=head.status == 202)
        used = Usage(video_seconds=counts.seconds(clean.get("seconds"))) if self.submits else Usage()
        return Reply(wire.encode_answer(clean, WHAT), used, wire.text_or_none(answer.get("model")), job=job)

    def parse_error(self, head: Head, body: bytes, now: float) -> UpstreamError:
        """Classify a non-2xx answer; `now` in Unix seconds. Total."""
        return errors.parse_error(head, body, now)

    def parse_limits(self, head: Head, now: float) -> RateLimits | None:
        """Read what the provider says is left of its limits. Total."""
        return limits.parse_limits(head, now)

    def open_stream(self, call: Call, target: Target, head: Head) -> StreamDecoder:
        """Refuse. Raises `RequestRejected`."""
        return CONTENT.open_stream(call, target, head) if call.job else DELETE.open_stream(call, target, head)


def _spelled(call: Call, target: Target) -> JsonObject:
    body = images.spelled(request.fields(call, target), target.quirks)
    if target.quirks.video_duration and (given := body.pop("seconds", None)) is not None:
        seconds = counts.seconds(given)
        if not seconds or seconds != int(seconds):
            raise RequestRejected("`seconds` must be a whole number, 1 or more.", param="seconds")
        body.setdefault("duration", int(seconds))
    return body


def _from_picture(call: Call, target: Target, opening: bytes, closing: bytes) -> HttpRequest:
    """Submit in JSON, with the picture that the video is to begin with, if there is one."""
    body = _spelled(call, target)
    reference = body.pop("input_reference", None)
    pictures = [data_urls.quoted(file) for file in call.files if file.name == "input_reference"]
    if reference is not None:
        url = reference.get("image_url") if isinstance(reference, dict) else None
        if not isinstance(url, str):
            raise unsupported("input_reference", target, "It takes a file, or a URL in `image_url`. ")
        pictures.append((wire.encode(url),))
    if len(pictures) > 1 or len(call.files) > len(pictures):
        raise unsupported("input_reference", target, "It takes one picture, under this name. ")
    written = request.written(body)
    whole = data_urls.beside(written, opening, pictures, closing) if pictures else written
    return request.post(call, target, "/videos", whole)


def about(call: Call, target: Target, method: str, suffix: str = "") -> HttpRequest:
    """Ask about what was submitted before."""
    query = urlencode({name: str(value) for name, value in call.body.items() if name != "model"})
    address = f"{target.base_url}/videos/{quote(call.job, safe='')}{suffix}"
    return HttpRequest(method, f"{address}?{query}" if query else address, request.headers(call, target))


def _id(answer: JsonObject) -> str:
    job = wire.text_or_none(answer.get("id")) or wire.text_or_none(answer.get("request_id"))
    if job is None:
        raise MalformedResponse("the answer does not name the video")
    return job


def _said(call: Call, target: Target, answer: JsonObject, *, running: bool) -> JsonObject:
    status = wire.text_or_none(answer.get("status")) or ("in_progress" if running else "queued")
    status = _STATUS.get(status, status)
    video = answer.get("video")
    shown = video if isinstance(video, dict) else {}
    created = wire.whole_number(answer.get("created_at"))
    progress = wire.whole_number(answer.get("progress"))
    seconds = answer.get("seconds") or shown.get("duration") or call.body.get("seconds")
    failure = answer.get("error")
    told = {"code": "video_generation_failed", "message": failure} if isinstance(failure, str) else failure
    return {
        **{name: value for name, value in answer.items() if name != "request_id"},
        **({"error": told} if told else {}),
        "id": call.job or _id(answer),
        "object": "video",
        "status": status,
        "created_at": call.created if created is None else created,
        "progress": (100 if status == "completed" else 0) if progress is None else progress,
        "model": wire.text_or_none(answer.get("model")) or target.model,
        "seconds": None if seconds is None else str(seconds),
    }


def _deleted(call: Call, _target: Target, answer: JsonObject) -> tuple[JsonObject, Usage | None]:
    return {
        **answer,
        "id": call.job,
        "object": "video.deleted",
        "deleted": answer.get("deleted", True),
    }, Usage()


def _unread(_call: Call, _target: Target, _answer: JsonObject) -> tuple[JsonObject, Usage | None]:
    raise MalformedResponse("the provider answered with JSON where a video was asked for")


def _content(call: Call, target: Target) -> HttpRequest:
    return about(call, target, "GET", "/content")


SUBMIT = Jobs(submits=True)
STATUS = Jobs(submits=False)
CONTENT = Plain(build=_content, read=_unread, opens=lambda _, head: passing.Bytes(head, Usage()))
DELETE = Plain(build=lambda call, target: about(call, target, "DELETE"), read=_deleted)
