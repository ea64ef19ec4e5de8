"""A long-running operation that makes a video, and what it has made.

Wire formats: https://ai.google.dev/gemini-api/docs/video and
https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/veo-video-generation.
"""

from __future__ import annotations

import msgspec

from providers.errors import MalformedResponse, RequestRejected
from providers.gemini.errors import reported, under_success


class Video(msgspec.Struct, frozen=True, rename="camel"):
    """What was made: the file itself, or where it is."""

    bytes_base64_encoded: str = ""
    mime_type: str = ""
    gcs_uri: str = ""
    uri: str = ""
    """Gemini's, which only the API's key opens."""


class _Sample(msgspec.Struct, frozen=True):
    video: Video = Video()


class _Generated(msgspec.Struct, frozen=True, rename="camel"):
    generated_samples: list[_Sample] = []
    rai_media_filtered_reasons: list[str] = []


class _Made(msgspec.Struct, frozen=True, rename="camel"):
    videos: list[Video] = []
    rai_media_filtered_reasons: list[str] = []
    generate_video_response: _Generated = _Generated()
    """Gemini's has all within this."""


class Operation(msgspec.Struct, frozen=True):
    """How it fares."""

    name: str = ""
    done: bool = False
    response: _Made | None = None
    error: object = None

    def videos(self) -> list[Video]:
        """Give what was made."""
        made = self.response or _Made()
        return [*made.videos, *(each.video for each in made.generate_video_response.generated_samples)]

    def failure(self) -> str:
        """Say why one that is done has made nothing; empty where it has."""
        if self.error:
            return str(reported(self.error))
        if self.videos():
            return ""
        made = self.response or _Made()
        reasons = (*made.rai_media_filtered_reasons, *made.generate_video_response.rai_media_filtered_reasons)
        return " ".join(reasons) or "The provider made no video that its filters let through."


_OPERATION = msgspec.json.Decoder(Operation)


def read(body: bytes) -> Operation:
    """Read a 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
    try:
        return _OPERATION.decode(body)
    except (ValueError, RecursionError):
        raise under_success(body) from None


def named(answer: Operation) -> str:
    """Give the name of one that was begun. Raises the error that is reported instead, or `MalformedResponse`."""
    if answer.name:
        return answer.name
    raise reported(answer.error) if answer.error else MalformedResponse("The answer names no operation.")


def video_of(body: bytes) -> Video:
    """Give the video of a 2xx body. Raises `RequestRejected` where there is none, or what `read` raises."""
    answer = read(body)
    if not answer.done:
        if answer.error:
            raise reported(answer.error)
        raise RequestRejected("The video is not completed yet: ask for its status first.")
    if failure := answer.failure():
        raise RequestRejected(f"There is no such video. {failure}")
    return answer.videos()[0]
