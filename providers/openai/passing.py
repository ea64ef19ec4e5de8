"""Answers that are passed on as they come: bytes of any kind, and server-sent events of a known end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from providers.errors import MalformedResponse, StreamTruncated, UpstreamError
from providers.openai import counts, errors, report, wire
from providers.openai.response import unlike
from providers.sse import Event, SseDecoder
from providers.types import Call, Chunk, Head, JsonObject, Usage

Tells = Callable[[str | None, bytes, JsonObject], bytes]
"""Makes what the client gets of an event: of its kind, its JSON as it came, and that read."""
LARGEST = 32 << 20
"""Bytes of one event: a picture in base64."""
_JSON = "application/json"


class Bytes:
    """A body of any kind, such as sound. It ends where its connection says so."""

    finished = False

    def __init__(self, head: Head, used: Usage) -> None:
        """Take what is known of its use beforehand."""
        self._media: str | None = head.headers.get("content-type") or "application/octet-stream"
        self._is_json = (self._media or "").startswith(_JSON)
        self._used = used
        self._came = False
        self._report = bytearray()

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """Take the next bytes."""
        self._came = True
        if self._is_json:
            # What was asked for is no JSON: it is what went wrong.
            self._report += data[: LARGEST - len(self._report)]
            return ()
        media, self._media = self._media, None
        return (Chunk(data, media=media),)

    def close(self) -> Sequence[Chunk]:
        """Take the end. Raises what a report says, or `StreamTruncated` where nothing came."""
        if self._is_json:
            raise unlike(bytes(self._report))
        if not self._came:
            raise StreamTruncated("the answer has nothing in it")
        return (Chunk(b"", self._used),)


class Frames:
    """Server-sent events with a `type`; `[DONE]` is not passed on, for OpenAI sends none here."""

    finished = False

    def __init__(
        self,
        ends: Collection[str],
        used: Callable[[JsonObject], Usage | None],
        tells: Tells = lambda kind, data, _: frame(kind, data),
        media: str | None = None,
    ) -> None:
        """Take the types of last events, what reads the use that an event tells, and what the client gets of it."""
        self._ends = ends
        self._used = used
        self._tells = tells
        self._media = media
        self._sse = SseDecoder(line_limit=LARGEST, event_limit=LARGEST)
        self._ended = False
        self._beginning = bytearray()
        self._came = False

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """Take the next bytes. Raises the `UpstreamError` that an event reports or is."""
        if not self._came:
            self._beginning += data[: 64 << 10]
        chunks: list[Chunk] = []
        try:
            chunks.extend(filter(None, map(self._read, self._sse.feed(data))))
        except UpstreamError as error:
            error.chunks = tuple(chunks)
            raise
        return chunks

    def close(self) -> Sequence[Chunk]:
        """Take the end. Raises `StreamTruncated` if it came too early, or says what came instead."""
        beginning = bytes(self._beginning).strip()
        if not self._came and beginning.startswith((b"{", b"[")):
            raise unlike(beginning)
        if not self._ended:
            raise StreamTruncated("the stream broke off before its end")
        return ()

    def _read(self, event: Event) -> Chunk | None:
        data = event.data.strip()
        if not data or data == b"[DONE]":
            return None
        self._came = True
        value = wire.decode(data, "an event")
        if event.name == b"error" or report.is_error(value):
            raise errors.under_success(value)
        if not isinstance(value, dict):
            raise MalformedResponse("an event is not a JSON object")
        kind = wire.text_or_none(value.get("type"))
        if kind in self._ends:
            self._ended = True
        text = value.get("delta")
        said = len(text.encode(errors="replace")) if isinstance(text, str) else 0
        model = wire.text_or_none(value.get("model"))
        return Chunk(self._tells(kind, data, value), self._used(value), model, said, self._media)


def frame(kind: str | None, data: bytes) -> bytes:
    """Write an event that holds JSON."""
    named = b"event: %b\n" % kind.encode(errors="replace") if kind and "\n" not in kind else b""
    # JSON has line feeds between its words only.
    return b"%bdata: %b\n\n" % (named, data.replace(b"\n", b" "))


def usage_in(event: JsonObject) -> Usage | None:
    """Read `usage` of an event."""
    return counts.read(event.get("usage"))


def input_of(call: Call) -> str:
    """Give the text that is to be spoken."""
    text = call.body.get("input")
    return text if isinstance(text, str) else ""
