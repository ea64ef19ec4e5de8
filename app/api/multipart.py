"""A multipart form: bytes → its parts, whatever the split (RFC 7578 and 2046). Pure, and holds little of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from app.errors import BadRequest

HEAD_LIMIT = 8 << 10
"""Bytes of a part's header fields."""
_BOUNDARY = re.compile(
    rb'multipart/form-data\s*;.*?\bboundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE
)
# Some escape quotes with a backslash, browsers do not: then one before the last quote means itself.
_PARAMETER = re.compile(r';\s*([a-zA-Z*]+)\s*=\s*(?:"((?:[^"\\]|\\.)*|[^"]*)"(?=\s*(?:;|$))|([^\s;"]*))')
_State = Literal["before", "after delimiter", "head", "content", "done"]


@dataclass(frozen=True, slots=True)
class Part:
    """The beginning of one part."""

    name: str
    filename: str | None
    """None: it is a field and no file."""
    media: str


class PartEnd:
    """The end of the part that was begun last."""


END = PartEnd()
Piece = Part | bytes | PartEnd


def boundary_of(content_type: bytes) -> bytes | None:
    """Give the boundary that a content type names; None where it is no form's."""
    found = _BOUNDARY.match(content_type.strip())
    return (found[1] or found[2]) if found else None


class Multipart:
    """Reads one form."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        # The first one has no line before it.
        self._buffer = bytearray(b"\r\n")
        self._state: _State = "before"

    @property
    def done(self) -> bool:
        """Whether the last delimiter has come. What follows it is nothing."""
        return self._state == "done"

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Give what these bytes complete; content as it comes. Raises `BadRequest`. Exhaust it before the next feed."""
        if self.done:
            return
        self._buffer += data
        while self._state != "done":
            before = self._state, len(self._buffer)
            yield from self._step()
            if before == (self._state, len(self._buffer)):
                return

    def _step(self) -> Iterator[Piece]:
        if self._state in ("before", "content"):
            yield from self._content()
        elif self._state == "after delimiter":
            self._after_delimiter()
        else:
            yield from self._head()

    def _content(self) -> Iterator[Piece]:
        at = self._buffer.find(self._delimiter)
        # What may be the beginning of a delimiter stays.
        safe = at if at >= 0 else max(0, len(self._buffer) - len(self._delimiter) + 1)
        if self._state == "content":
            if safe:
                yield bytes(self._buffer[:safe])
            if at >= 0:
                yield END
        del self._buffer[:safe]
        if at >= 0:
            del self._buffer[: len(self._delimiter)]
            self._state = "after delimiter"

    def _after_delimiter(self) -> None:
        if self._buffer.startswith(b"--"):
            self._state = "done"
            self._buffer.clear()
            return
        line = self._buffer.find(b"\r\n")
        if line >= 0 and not self._buffer[:line].strip(b" \t"):
            del self._buffer[:line]
            self._state = "head"
        elif line > 0 or len(self._buffer) > HEAD_LIMIT:
            raise _malformed("something follows a boundary")

    def _head(self) -> Iterator[Piece]:
        end = self._buffer.find(b"\r\n\r\n")
        if end > HEAD_LIMIT or (end < 0 and len(self._buffer) > HEAD_LIMIT):
            raise _malformed("the header fields of a part are too large")
        if end < 0:
            return
        fields = bytes(self._buffer[:end]).decode(errors="replace").split("\r\n")
        del self._buffer[: end + 4]
        self._state = "content"
        yield _part(fields)


def _part(fields: list[str]) -> Part:
    named = {name.strip().lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)}
    disposition = named.get("content-disposition", "")
    given = {
        name.lower(): _unescaped(quoted) or plain for name, quoted, plain in _PARAMETER.findall(disposition)
    }
    if not disposition.lower().startswith("form-data") or not given.get("name"):
        raise _malformed("a part has no name")
    filename = given.get("filename")
    if extended := given.get("filename*"):
        filename = unquote(extended.rpartition("'")[2], errors="replace")
    return Part(given["name"], filename, named.get("content-type") or "application/octet-stream")


def _unescaped(text: str) -> str:
    return text.replace('\\"', '"').replace("%22", '"')


def _malformed(what: str) -> BadRequest:
    return BadRequest(f"The form cannot be read: {what}.", code="invalid_form")
