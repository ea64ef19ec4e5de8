"""HTTP/1.1 as bytes: a request's head, and an answer as it comes in. Pure (RFC 9112)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import httptools

from providers.errors import Disconnected, MalformedResponse, StreamTruncated

DRY_LIMIT = 64 << 10
"""Bytes that may come without one of a body among them: a head with the informational ones before it, trailers."""


def render_head(
    method: str, target: str, host: str, headers: Iterable[tuple[str, str]], length: int
) -> bytes:
    """Write a request's head for a body of `length` bytes. Raises `ValueError` for a header that would be two."""
    lines = [f"{method} {target} HTTP/1.1", f"host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if length or method != "GET":
        lines.append(f"content-length: {length}")
    joined = "\n".join(lines)
    # With as many line feeds as there are lines, none is inside of one.
    if joined.count("\n") != len(lines) - 1 or "\r" in joined or "\0" in joined:
        raise ValueError("a header holds a line break or a NUL, which no header can")
    return joined.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n"


class AnswerReader:
    """Reads the answers of one connection, one after another."""

    __slots__ = (
        "_bodiless",
        "_dry",
        "_has_head",
        "_informational",
        "_parser",
        "complete",
        "headers",
        "held",
        "pieces",
        "reusable",
        "status",
    )

    def __init__(self) -> None:
        self._parser: Any = httptools.HttpResponseParser(self)
        self.expect(bodiless=False)
        self.complete = True

    def expect(self, *, bodiless: bool) -> None:
        """Read another answer from now on. `bodiless`: its body is never sent, as after HEAD."""
        self._bodiless = bodiless
        self._dry = 0
        self._has_head = self._informational = False
        self.status = 0
        """0 until the head is there."""
        self.headers: dict[str, str] = {}
        """Names in lower case; what came several times is joined by commas."""
        self.pieces: list[bytes] = []
        """Of the body, as they came. Whoever reads takes them out."""
        self.held = 0
        """Bytes in `pieces`."""
        self.complete = False
        self.reusable = False
        """Whether the connection can carry another exchange, once this answer is complete."""

    def feed(self, data: bytes | memoryview) -> None:
        """Take the next bytes. Raises `MalformedResponse` before the head is there and `StreamTruncated` after it."""
        if self.complete:
            # Bytes that nobody has asked for belong to no answer.
            self.reusable = False
            return
        self._dry += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.reusable = False
            if not self.complete:
                raise self._nonsense() from error
        if self._dry > DRY_LIMIT and not self.complete:
            raise self._nonsense()

    def close(self, *, clean: bool) -> None:
        """Take the end of the bytes, and read no more. Raises `Disconnected` or `StreamTruncated` where it came too early.

        `clean`: the other side has closed in good order, which ends a body that tells its end in no other way.
        """
        self.reusable = False
        # It holds this object in turn.
        self._parser = None
        if self.complete:
            return
        if not self._has_head:
            raise Disconnected("the provider closed the connection before it answered")
        if not clean or "content-length" in self.headers or "transfer-encoding" in self.headers:
            raise StreamTruncated("the provider closed the connection before the end of its answer")
        self.complete = True

    def take(self) -> bytes:
        """Take out what there is of the body."""
        pieces = self.pieces
        self.held = 0
        if len(pieces) == 1:
            return pieces.pop()
        taken = b"".join(pieces)
        pieces.clear()
        return taken

    def _nonsense(self) -> Exception:
        if self._has_head:
            return StreamTruncated("the provider's answer broke off in bytes that are not HTTP")
        return MalformedResponse("the provider answered with something that is not HTTP")

    # The parser's callbacks.

    def on_message_begin(self) -> None:
        """Note that bytes have come after the end of an answer."""
        if self.complete:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        if self._has_head:
            # A trailer, or the head of what nobody has asked for.
            return
        key, text = name.lower().decode("latin-1"), value.decode("latin-1")
        before = self.headers.get(key)
        self.headers[key] = text if before is None else f"{before}, {text}"

    def on_headers_complete(self) -> None:
        """Take the end of a head, an informational one or the answer's. Raises `ValueError`, which the parser wraps."""
        if self._has_head:
            return
        status = self._parser.get_status_code()
        if status < 100 or status == 101:
            raise ValueError("no status, or another protocol that nobody has asked for")
        self._informational = status < 200
        if self._informational:
            self.headers.clear()
            return
        if self.headers.get("transfer-encoding", "chunked").lower() != "chunked":
            raise ValueError("a transfer encoding that nobody has asked for")
        self.status, self._has_head = status, True
        self.complete = self._bodiless

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        if self.complete:
            return
        self._dry = 0
        self.pieces.append(data)
        self.held += len(data)

    def on_message_complete(self) -> None:
        """Note the end."""
        if self._informational:
            self._informational = False
            return
        if not self.complete:
            self.complete = True
            self.reusable = self._parser.should_keep_alive()
