"""The file of a video, within the answer that tells how its operation fares."""

from __future__ import annotations

import binascii
from collections.abc import Sequence

from providers.errors import MalformedResponse, RequestRejected, ResponseTooLarge
from providers.gemini.operation import video_of
from providers.types import Chunk, Usage

LARGEST = 64 << 20
"""Bytes of an answer: a video in base64, held since it is whole only at its end. As many as a status may have."""


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
        video = video_of(bytes(self._held))
        if video.gcs_uri:
            raise RequestRejected(f"The video is not here but at {video.gcs_uri}.")
        try:
            file = binascii.a2b_base64(video.bytes_base64_encoded, strict_mode=True)
        except ValueError:
            raise MalformedResponse("The video is not in base64.") from None
        if not file:
            raise MalformedResponse("The video has nothing in it.")
        return (Chunk(file, Usage(), media=video.mime_type or "video/mp4"),)
