"""Text from sound: transcriptions and translations, which differ by their path.

https://platform.openai.com/docs/api-reference/audio/createTranscription
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from providers.adapter import StreamDecoder
from providers.errors import MalformedResponse, UpstreamError
from providers.openai import counts, errors, limits, passing, report, request, wire
from providers.openai.response import WHAT, unlike
from providers.types import Call, Head, HttpRequest, JsonObject, RateLimits, Reply, Target, Usage

_TEXTS = frozenset({"text", "srt", "vtt"})
"""What `response_format` may ask for that is no JSON."""
_LAST_MOMENT = re.compile(rb"--> (?:(\d{1,3}):)?([0-5]\d):([0-5]\d)[.,](\d{3})")


@dataclass(frozen=True, slots=True)
class Hearing:
    """Implements `providers.adapter.Adapter`."""

    path: str

    def build_request(self, call: Call, target: Target) -> HttpRequest:
        """Render the call as a form, as it came. Raises `RequestRejected`."""
        return request.form(call, target, self.path)

    def parse_response(self, call: Call, target: Target, head: Head, body: bytes) -> Reply:  # noqa: ARG002 - the contract's
        """Read a complete 2xx body: JSON, or the text that was asked for. Raises `MalformedResponse`."""
        if call.body.get("response_format") in _TEXTS and not _is_json(head):
            media = head.headers.get("content-type") or "text/plain; charset=utf-8"
            return Reply(body, _told_by(body), None, media)
        answer = wire.decode(body, WHAT)
        if not isinstance(answer, dict) or report.is_error(answer) or not isinstance(answer.get("text"), str):
            raise unlike(body)
        return Reply(body, _used(answer), wire.text_or_none(answer.get("model")))

    def parse_error(self, head: Head, body: bytes, now: float) -> UpstreamError:
        """Classify a non-2xx answer; `now` in Unix seconds. Total."""
        return errors.parse_error(head, body, now)

    def parse_limits(self, head: Head, now: float) -> RateLimits | None:
        """Read what the provider says is left of its limits. Total."""
        return limits.parse_limits(head, now)

    def open_stream(self, call: Call, target: Target, head: Head) -> StreamDecoder:  # noqa: ARG002 - the contract's
        """Start reading a 2xx stream."""
        return passing.Frames({"transcript.text.done"}, passing.usage_in)


def _is_json(head: Head) -> bool:
    return head.headers.get("content-type", "").startswith("application/json")


def _used(answer: JsonObject) -> Usage | None:
    told = counts.read(answer.get("usage"))
    heard = counts.seconds(answer.get("duration"))
    return told if told is not None or not heard else Usage(audio_seconds=heard)


def _told_by(body: bytes) -> Usage | None:
    """Take the end of the last caption for the length of the sound; a bare text says nothing of it."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise MalformedResponse(f"{WHAT} is not text") from error
    moments = _LAST_MOMENT.findall(body)
    if not moments:
        return None
    hours, minutes, seconds, thousandths = (int(part or 0) for part in moments[-1])
    return Usage(audio_seconds=hours * 3600 + minutes * 60 + seconds + thousandths / 1000)


TRANSCRIPTION = Hearing("/audio/transcriptions")
TRANSLATION = Hearing("/audio/translations")
