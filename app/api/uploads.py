"""A file of a form while its call lasts: in memory while it is small, else in a temporary file without a name."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from typing import IO

from app.errors import Unavailable

HELD = 256 << 10
"""Bytes that are held in memory, of what is small as of what is being written."""
PIECE = 64 << 10
"""Bytes that are read and sent at once."""


class Spooled:
    """Implements `providers.types.Content`. Every attempt reads it anew, and several may at once."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._file: IO[bytes] | None = None
        self.size = 0

    async def write(self, data: bytes) -> None:
        """Take the next bytes. Raises `Unavailable` where there is no room for temporary files."""
        self._held += data
        self.size += len(data)
        if len(self._held) > HELD:
            await self._flush()

    async def finish(self) -> None:
        """Take the end."""
        if self._file is not None:
            await self._flush()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Give the bytes from the first on."""
        for start in range(0, self.size, PIECE):
            if self._file is None:
                yield bytes(self._held[start : start + PIECE])
            else:
                yield await asyncio.to_thread(os.pread, self._file.fileno(), PIECE, start)

    def close(self) -> None:
        """Let go of it."""
        self._held.clear()
        if self._file is not None:
            self._file.close()

    async def _flush(self) -> None:
        try:
            # A disk may be slow: nobody else is to wait for it.
            await asyncio.to_thread(self._store, bytes(self._held))
        except OSError as error:
            raise Unavailable(
                "There is no room for the file here now.", code="upload_storage_unavailable"
            ) from error
        self._held.clear()

    def _store(self, data: bytes) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed when its call ends
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) or 0 :]
