"""Server-sent events: bytes → events, whatever the split.

Follows the WHATWG standard's "interpreting an event stream"
(https://html.spec.whatwg.org/multipage/server-sent-events.html): LF, CRLF and CR end a line, one
BOM at the start is skipped, an event without data is no event, and what has no blank line behind
it when the stream ends is discarded. `id` and `retry` mean nothing to a gateway.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from providers.errors import ResponseTooLarge

LINE_LIMIT = 1 << 20
"""Bytes of one line. The largest seen in recorded traffic are far below (whole images: 300 KiB)."""
EVENT_LIMIT = 4 << 20
"""Bytes of the data of one event over all its lines."""

_BOM = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event: its data, and its `event:` name or empty."""

    data: bytes
    name: bytes = b""


class SseDecoder:
    """Takes bytes, gives events. Time and memory are linear in what is fed, within the limits."""

    def __init__(self, *, line_limit: int = LINE_LIMIT, event_limit: int = EVENT_LIMIT) -> None:
        self._line_limit = line_limit
        self._event_limit = event_limit
        self._unfinished = bytearray()
        self._after_cr = False
        self._at_start = True
        self._data: list[bytes] = []
        self._data_size = 0
        self._name = b""

    def feed(self, data: bytes) -> Iterator[Event]:
        """Give the events that these bytes complete, one by one: exhaust it before the next feed.

        Raises `ResponseTooLarge`, after the events that came before.
        """
        *whole, rest = self._split(data)
        for end in whole:
            line = self._line(end)
            if line:
                self._field(line)
                continue
            name, self._name = self._name, b""
            if self._data:
                event = Event(b"\n".join(self._data), name)
                self._data = []
                self._data_size = 0
                yield event
        self._check(rest)
        # Appending is amortised: joining strings at each feed would be quadratic.
        self._unfinished += rest

    def plain(self, data: bytes) -> list[bytes] | None:
        """Take bytes that complete nothing but events of one `data: ` line each, and give their data.

        None for any others, which are left to `feed`: this is what most are, at a fraction of the cost.
        """
        if self._data or self._name or self._after_cr or b"\r" in data or b"\n" not in data:
            # Without a line's end it would be joined with what waits, time and again.
            return None
        if self._unfinished:
            data = bytes(self._unfinished) + data
        end = data.rfind(b"\n\n") + 2
        if end > self._line_limit or not data.startswith(b"data: ") or data.find(b"\n", end) >= 0:
            return None
        events = data[6 : end - 2].split(b"\n\ndata: ")
        if end < 8 or data.count(b"\n", 0, end) != 2 * len(events) or len(data) - end > self._line_limit:
            return None
        self._unfinished = bytearray(data[end:])
        self._at_start = False
        return events

    def _split(self, data: bytes) -> list[bytes]:
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = False
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data.split(b"\n")

    def _line(self, end: bytes) -> bytes:
        self._check(end)
        line = end
        if self._unfinished:
            line = bytes(self._unfinished) + end
            self._unfinished.clear()
        if self._at_start:
            line = line.removeprefix(_BOM)
            self._at_start = False
        return line

    def _check(self, more: bytes) -> None:
        if len(self._unfinished) + len(more) > self._line_limit:
            raise ResponseTooLarge(f"an event line is longer than {self._line_limit} bytes")

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            value = value.removeprefix(b" ")
            self._data_size += len(value) + 1
            if self._data_size > self._event_limit:
                raise ResponseTooLarge(f"an event is larger than {self._event_limit} bytes")
            self._data.append(value)
        elif name == b"event":
            self._name = value.removeprefix(b" ")
