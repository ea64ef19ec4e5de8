"""JSON lines (application/x-ndjson): bytes → lines, whatever the split."""

from __future__ import annotations

from collections.abc import Iterator

from providers.errors import ResponseTooLarge

LINE_LIMIT = 4 << 20
"""Bytes of one line."""


class LineDecoder:
    """Takes bytes, gives lines. What has no line end behind it when the stream ends is in `rest`."""

    def __init__(self, *, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._unfinished = bytearray()

    @property
    def rest(self) -> bytes:
        """What has come of the last line."""
        return bytes(self._unfinished).strip()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give the lines that these bytes complete, without empty ones. Raises `ResponseTooLarge`."""
        *ends, rest = data.split(b"\n")
        for end in ends:
            self._check(end)
            line = bytes(self._unfinished) + end if self._unfinished else end
            self._unfinished.clear()
            if line := line.strip():
                yield line
        self._check(rest)
        self._unfinished += rest

    def _check(self, more: bytes) -> None:
        if len(self._unfinished) + len(more) > self._limit:
            raise ResponseTooLarge(f"a line is longer than {self._limit} bytes")
