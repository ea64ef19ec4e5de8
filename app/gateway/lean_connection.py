"""One connection to a provider: bytes out, and what comes in read as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Iterable
from typing import Any

from app.gateway.connections import READ_AHEAD
from app.gateway.http1 import AnswerReader
from providers.errors import UpstreamError
from providers.types import Head


class Connection(asyncio.BufferedProtocol):
    """Carries one exchange at a time."""

    def __init__(self, buffer: memoryview, on_lost: Callable[[Connection], None]) -> None:
        """`buffer` may be that of all connections of a loop: it is emptied before the loop goes on."""
        self._loop = asyncio.get_running_loop()
        self._buffer = buffer
        self._on_lost = on_lost
        self._reader = AnswerReader()
        self._waiter: asyncio.Future[None] | None = None
        self._error: UpstreamError | None = None
        self._paused = self._lost = False
        self._full = False
        """Whether no more is to be written for now."""
        self._unsent = False
        """Whether a part of the last request's body has not been written."""
        self.transport: Any = None

    # What the loop says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self.transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the size is ours to choose
        """Give the place for the next slice."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Read what has come, and take no more while it waits."""
        reader = self._reader
        if reader.complete:
            # Nobody has asked for anything: to read on would be to take this for the next answer.
            self.abort()
            return
        try:
            reader.feed(self._buffer[:nbytes])
        except UpstreamError as error:
            self._fail(error)
            return
        if reader.held > READ_AHEAD and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        if self._waiter is not None and reader.status:
            self._wake()

    def pause_writing(self) -> None:
        """Let the body of a request wait."""
        self._full = True

    def resume_writing(self) -> None:
        """Let it go on."""
        self._full = False
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits, and the pool."""
        self._lost = True
        try:
            self._reader.close(clean=exc is None)
        except UpstreamError as error:
            error.__cause__ = exc
            self._error = self._error or error
        self._wake()
        self._on_lost(self)

    # What an exchange asks.

    async def ask(
        self, request: Iterable[bytes], rest: AsyncIterable[bytes] | None = None, *, bodiless: bool
    ) -> Head:
        """Send a request, and the rest of it as it comes; wait for the head of its answer.

        Raises `Disconnected` or `MalformedResponse`.
        """
        reader = self._reader
        reader.expect(bodiless=bodiless)
        self.transport.writelines(request)
        if rest is not None:
            await self._send(rest)
        while not reader.status:
            if self._error is not None:
                raise self._error
            await self._news()
        return Head(reader.status, reader.headers)

    async def piece(self) -> bytes:
        """Give what has come of the body, or nothing at its end. Raises `StreamTruncated`."""
        reader = self._reader
        while not reader.held:
            if reader.complete:
                return b""
            if self._error is not None:
                raise self._error
            await self._news()
        taken = reader.take()
        if self._paused:
            self._paused = False
            self.transport.resume_reading()
        return taken

    @property
    def usable(self) -> bool:
        """Whether it can carry another exchange: all was sent, all was read, and both sides want to go on."""
        return (
            self._reader.reusable and not self._lost and not self._paused
            and not self._unsent and not self.transport.is_closing() and not self.transport.get_write_buffer_size()
        )  # fmt: skip

    def abort(self) -> None:
        """Close at once: whatever was not read is not wanted, and a farewell of TLS could take long."""
        self._reader.reusable = False
        self.transport.abort()

    async def _send(self, rest: AsyncIterable[bytes]) -> None:
        """Write, no faster than it leaves, until there is no more or an answer has come: it needs no more then."""
        self._unsent = True
        async for piece in rest:
            self.transport.write(piece)
            while self._full and not self._reader.status and self._error is None:
                await self._news()
            if self._reader.status or self._error is not None:
                return
        self._unsent = False

    def _fail(self, error: UpstreamError) -> None:
        self._error = error
        self.abort()
        self._wake()

    async def _news(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
