"""The network as httpx2's own transport sees it: the addresses that a resolver gives, read in slices."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore2

from app.gateway.connections import READ_AHEAD, SLICE, on_socket, over_tls
from app.gateway.resolver import Resolver, connected


class Network(httpcore2.AsyncNetworkBackend):
    """Makes connections. Names are looked up by the resolver alone."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        # One for all connections: it is emptied before the loop goes on.
        self._slice = memoryview(bytearray(SLICE))

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's
        local_address: str | None = None,  # noqa: ARG002 - the interface's
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - the interface's
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address that answers. Raises `ConnectError` or `ConnectTimeout`."""
        incoming = Incoming(self._slice)
        with _told_as(httpcore2.ConnectTimeout, httpcore2.ConnectError):
            async with asyncio.timeout(timeout):
                await on_socket(incoming, await connected(self._resolver, host, port))
        return Stream(incoming)


class Incoming(asyncio.BufferedProtocol):
    """What comes in over one connection, until it is asked for."""

    def __init__(self, buffer: memoryview) -> None:
        self.buffer = buffer
        self._waiting = bytearray()
        self._moved, self._writable = asyncio.Event(), asyncio.Event()
        self._writable.set()
        self._ended = self._paused = False
        self._error: Exception | None = None
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self.transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the size is ours to choose
        """Give the place for the next slice."""
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Keep what has come, and take no more while it waits."""
        self._waiting += self.buffer[:nbytes]
        self._moved.set()
        if len(self._waiting) > READ_AHEAD and not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake whoever waits."""
        self._ended, self._error = True, exc
        self._moved.set()
        self._writable.set()

    def eof_received(self) -> None:
        """Note that nothing more will come; the connection closes by itself."""
        self._ended = True
        self._moved.set()

    def pause_writing(self) -> None:
        """Let the writer wait."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let it go on."""
        self._writable.set()

    @property
    def readable(self) -> bool:
        """Whether there is something to read, were it the end."""
        return bool(self._waiting) or self._ended

    async def read(self, most: int) -> bytes:
        """Give what has come, or nothing at the end. Raises the `OSError` that ended the connection."""
        while not self.readable:
            self._moved.clear()
            await self._moved.wait()
        if not self._waiting and self._error is not None:
            raise self._error
        taken = bytes(self._waiting[:most])
        del self._waiting[:most]
        if self._paused and len(self._waiting) <= READ_AHEAD:
            self._paused = False
            self.transport.resume_reading()
        return taken

    async def written(self) -> None:
        """Wait until there is room for more. Raises the `OSError` that ended the connection."""
        await self._writable.wait()
        if self._ended:
            raise self._error or ConnectionResetError


class Stream(httpcore2.AsyncNetworkStream):
    """A connection."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - the interface's
        """Give what has come, or nothing at the end. Raises `ReadError` or `ReadTimeout`."""
        with _told_as(httpcore2.ReadTimeout, httpcore2.ReadError):
            async with asyncio.timeout(timeout):
                return await self._incoming.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the interface's
        """Send, and wait while the other side does not take it. Raises `WriteError` or `WriteTimeout`."""
        with _told_as(httpcore2.WriteTimeout, httpcore2.WriteError):
            async with asyncio.timeout(timeout):
                self._incoming.transport.write(buffer)
                await self._incoming.written()

    async def aclose(self) -> None:
        """Close at once: whatever was not read is not wanted, and a farewell of TLS could take long."""
        self._incoming.transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's
    ) -> httpcore2.AsyncNetworkStream:
        """Go on with TLS. Raises `ConnectError` or `ConnectTimeout`."""
        incoming = self._incoming
        with _told_as(httpcore2.ConnectTimeout, httpcore2.ConnectError):
            async with asyncio.timeout(timeout):
                incoming.transport = await over_tls(
                    incoming.transport, incoming, ssl_context, server_hostname, incoming.buffer
                )
        return self

    def get_extra_info(self, info: str) -> Any:
        """Tell what httpx2 asks: whether an idle connection was closed, and what was agreed on in TLS."""
        return (
            self._incoming.readable
            if info == "is_readable"
            else self._incoming.transport.get_extra_info(info)
        )


@contextmanager
def _told_as(late: type[Exception], broken: type[Exception]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise late from error
    except (OSError, UnicodeError) as error:
        # A name that cannot be one is a UnicodeError.
        raise broken(type(error).__name__) from error
