"""What a stream is read in: one piece after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from providers.errors import UpstreamError
from providers.types import Chunk

Piece = TypeVar("Piece")


def read_each(pieces: Iterable[Piece], read: Callable[[Piece], Iterable[Chunk]]) -> list[Chunk]:
    """Read pieces in their order. What came before an `UpstreamError` is in its `chunks`."""
    chunks: list[Chunk] = []
    try:
        for piece in pieces:
            chunks += read(piece)
    except UpstreamError as error:
        error.chunks = chunks
        raise
    return chunks
