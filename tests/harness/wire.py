"""One connection of the fake upstream: an asyncio protocol that reads requests and can be as rude as a test asks."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

NO_LINGER = struct.pack("ii", 1, 0)
"""SO_LINGER with a wait of zero: closing sends RST."""


class PeerLeft(Exception):
    """The other side has closed or reset the connection, or we have."""


class Connection(asyncio.Protocol):
    """Bytes in and out. What the peer sends while an answer is under way stays in the buffer."""

    def __init__(self, connected: Callable[[Connection], None], left: Callable[[Connection], None]) -> None:
        self.id = -1
        self.left_at: float | None = None
        """`time.monotonic()` of the peer's FIN or RST."""
        self._connected = connected
        self._left = left
        self._buffer = bytearray()
        self._moved = asyncio.Event()
        self._gone = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connected(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._moved.set()

    def eof_received(self) -> None:
        self._leave()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self._left(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _leave(self) -> None:
        self.left_at = self.left_at or time.monotonic()
        self._gone.set()
        self._moved.set()
        self._writable.set()

    async def read_head(self) -> tuple[str, str, list[tuple[str, str]]]:
        """Give method, target and headers (names in lower case) of the next request."""
        head = (await self._read_until(b"\r\n\r\n")).decode("latin-1")
        request_line, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
        method, target, _ = request_line.split(" ")
        fields = (line.partition(":") for line in lines)
        return method, target, [(name.lower(), value.strip()) for name, _, value in fields]

    async def read_body(self, headers: list[tuple[str, str]]) -> bytes:
        fields = dict(headers)
        if fields.get("transfer-encoding") == "chunked":
            return await self._read_chunks()
        return await self._read_exactly(int(fields.get("content-length", "0")))

    async def _read_chunks(self) -> bytes:
        whole = bytearray()
        while size := int((await self._read_until(b"\r\n")).split(b";")[0], 16):
            whole += await self._read_exactly(size)
            await self._read_exactly(2)
        await self._read_exactly(2)
        return bytes(whole)

    async def _read_until(self, mark: bytes) -> bytes:
        while (end := self._buffer.find(mark)) < 0:
            await self._more()
        return self._take(end + len(mark))

    async def _read_exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            await self._more()
        return self._take(size)

    async def _more(self) -> None:
        if self._gone.is_set():
            raise PeerLeft
        self._moved.clear()
        await self._moved.wait()

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    async def write(self, data: bytes) -> None:
        """Send it, waiting while the peer does not read."""
        await self._writable.wait()
        if self._gone.is_set():
            raise PeerLeft
        self._transport.write(data)
        # A big block may be all in the buffer now: let the peer's pause take effect before the next one.
        await asyncio.sleep(0)
        await self._writable.wait()
        if self._gone.is_set():
            raise PeerLeft

    async def until(self, waiting: Any) -> None:
        """Wait for it, or raise `PeerLeft` when the peer goes first."""
        wanted = asyncio.ensure_future(waiting)
        gone = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait({wanted, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not wanted.done():
                raise PeerLeft
            wanted.result()
        finally:
            wanted.cancel()
            gone.cancel()

    def small_buffers(self) -> None:
        """Hold as little as possible between the script and the peer, to measure the peer's own buffers."""
        self._transport.set_write_buffer_limits(high=16_384)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)

    def reset(self) -> None:
        """Send RST."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self._transport.abort()

    def close(self) -> None:
        """Send FIN after what is written."""
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    @property
    def _socket(self) -> Any:
        return self._transport.get_extra_info("socket")
