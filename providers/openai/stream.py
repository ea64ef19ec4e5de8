"""Streams of chat and completions: bytes → events → chunks, and whether the end came."""

from __future__ import annotations

from collections.abc import Sequence

from providers.errors import MalformedResponse, StreamTruncated, UpstreamError
from providers.openai import errors
from providers.openai.lanes import CleanLane, ExactLane, Lane
from providers.openai.response import unlike
from providers.openai.wire import Shape, decode
from providers.sse import Event, SseDecoder
from providers.types import Call, Chunk, Target

_DONE = b"[DONE]"
_BEGINNINGS = (b":", b"data", b"event", b"id", b"retry")
_KEPT = 64 << 10
"""Bytes of a body without events that are kept, to say what it was instead of a stream."""


class Decoder:
    """Reads one stream. Its end is `[DONE]`, or the end of the bytes after each choice has ended."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._sse = SseDecoder()
        self._done = False
        self._has_events = False
        self._beginning = bytearray()

    @property
    def finished(self) -> bool:
        """Whether `[DONE]` has come."""
        return self._done

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """Take the next bytes. Raises the `UpstreamError` that an event reports or is."""
        if self._done:
            return ()
        plain = self._sse.plain(data)
        if plain is not None:
            return self._read_plain(plain)
        if not self._has_events and len(self._beginning) < _KEPT:
            self._beginning += data[:_KEPT]
        chunks: list[Chunk] = []
        try:
            for event in self._sse.feed(data):
                self._take(event, chunks)
                if self._done:
                    break
        except UpstreamError as error:
            error.chunks = tuple(chunks)
            raise
        return chunks

    def _read_plain(self, events: list[bytes]) -> Sequence[Chunk]:
        last = events.pop() if events[-1] == _DONE else None
        together, many = self._lane.read_together(events) if events else (None, 0)
        chunks: list[Chunk] = []
        if together is not None:
            self._has_events = True
            chunks.append(together)
            del events[:many]
        if last is not None:
            events.append(last)
        try:
            for data in events:
                if not self._done:
                    self._take(Event(data), chunks)
        except UpstreamError as error:
            error.chunks = tuple(chunks)
            raise
        return chunks

    def close(self) -> Sequence[Chunk]:
        """Take the end of the bytes. Raises `StreamTruncated` if it came too early, or says what came instead."""
        if self._done:
            return ()
        if not self._has_events:
            raise self._no_stream()
        if not self._lane.complete():
            raise StreamTruncated("the stream broke off before its end")
        return self._lane.end()

    def _take(self, event: Event, chunks: list[Chunk]) -> None:
        data = event.data.strip()
        if not data:
            return
        self._has_events = True
        if data == _DONE:
            if not self._lane.began():
                raise MalformedResponse("the stream ended without an answer")
            self._done = True
            chunks.extend(self._lane.end())
            return
        if event.name == b"error":
            raise errors.under_success(decode(data, "an error event"))
        chunk = self._lane.read(data)
        if chunk is not None:
            chunks.append(chunk)

    def _no_stream(self) -> UpstreamError:
        body = bytes(self._beginning).strip()
        if not body or body.startswith(_BEGINNINGS):
            return StreamTruncated("the stream ended before its first event")
        return unlike(body)


def open(call: Call, target: Target, shape: Shape) -> Decoder:  # noqa: A001 - read as `stream.open`
    """Start reading a 2xx stream, in the lane that the target's row asks for."""
    lane: Lane = (ExactLane if target.quirks.exact else CleanLane)(call, target, shape)
    return Decoder(lane)
