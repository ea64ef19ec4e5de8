"""A request's body that is too large to hold, as it goes out: piece by piece, made while it is sent."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Sequence

from providers.types import Content, InBase64

Part = bytes | Content | InBase64


class Pieces:
    """The bytes of all parts, one after the other."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            if isinstance(part, bytes):
                yield part
                continue
            async for piece in _encoded(part.content) if isinstance(part, InBase64) else part.pieces():
                yield piece


def length_of(parts: Sequence[Part]) -> tuple[str, str]:
    """Give the `content-length` field of a body."""
    return "content-length", str(sum(map(_size, parts)))


def _size(part: Part) -> int:
    if isinstance(part, bytes):
        return len(part)
    return -(-part.content.size // 3) * 4 if isinstance(part, InBase64) else part.size


async def _encoded(content: Content) -> AsyncIterator[bytes]:
    rest = b""
    async for piece in content.pieces():
        rest += piece
        whole = len(rest) // 3 * 3
        yield b64encode(rest[:whole])
        rest = rest[whole:]
    yield b64encode(rest)
