"""A long-running operation that makes a video, and the file within its answer.

Wire format: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/veo-video-generation.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence

import msgspec

from providers.errors import MalformedResponse, RequestRejected, ResponseTooLarge
from providers.gemini.errors import reported, under_success
from providers.types import Chunk, Usage

LARGEST = 64 << 20
"""Bytes of an answer: a video in base64, held since it is whole only at its end. As many as a status may have."""


class Video(msgspec.Struct, frozen=True, rename="camel"):
    """What was made: the file itself, or where it is."""

    bytes_base64_encoded: str = ""
    mime_type: str = ""
    gcs_uri: str = ""


class _Made(msgspec.Struct, frozen=True, rename="camel"):
    videos: list[Video] = []
    rai_media_filtered_reasons: list[str] = []


class Operation(msgspec.Struct, frozen=True):
    """How it fares."""

    name: str = ""
    done: bool = False
    response: _Made | None = None
    error: object = None

    def videos(self) -> list[Video]:
        """Give what was made."""
        return self.response.videos if self.response else []

    def failure(self) -> str:
        """Say why one that is done has made nothing; empty where it has."""
        if self.error:
            return str(reported(self.error))
        if self.videos():
            return ""
        reasons = self.response.rai_media_filtered_reasons if self.response else []
        return " ".join(reasons) or "The provider made no video that its filters let through."


_OPERATION = msgspec.json.Decoder(Operation)


def read(body: bytes) -> Operation:
    """Read a 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
    try:
        return _OPERATION.decode(body)
    except (ValueError, RecursionError):
        raise under_success(body) from None


class FileStream:
    """Reads the file out of an operation's answer."""

    finished = False

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._held = bytearray()

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """Take the next bytes. Raises `ResponseTooLarge`."""
        if len(self._held) + len(data) > LARGEST:
            raise ResponseTooLarge(f"The video is larger than {LARGEST >> 20} MiB in base64.")
        self._held += data
        return ()

    def close(self) -> Sequence[Chunk]:
        """Give the file. Raises `RequestRejected` where there is none to give, `MalformedResponse`."""
        answer = read(bytes(self._held))
        if not answer.done:
            if answer.error:
                raise reported(answer.error)
            raise RequestRejected("The video is not completed yet: ask for its status first.")
        if failure := answer.failure():
            raise RequestRejected(f"There is no such video. {failure}")
        video = answer.videos()[0]
        if video.gcs_uri:
            raise RequestRejected(f"The video is not here but at {video.gcs_uri}.")
        try:
            file = binascii.a2b_base64(video.bytes_base64_encoded, strict_mode=True)
        except ValueError:
            raise MalformedResponse("The video is not in base64.") from None
        if not file:
            raise MalformedResponse("The video has nothing in it.")
        return (Chunk(file, Usage(), media=video.mime_type or "video/mp4"),)
