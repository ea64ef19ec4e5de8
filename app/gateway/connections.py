"""How bytes come in from a provider: little at a time, so that a reader who does not read holds little."""

from __future__ import annotations

import asyncio
import ssl
from functools import partial
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.client_proto import ResponseHandler

SLICE = 16 << 10
"""Bytes that are taken from the kernel at once. uvloop would take 250 KiB, and hold them for a reader who stalls."""
TLS_SLICE = 8 << 10
"""The same over TLS, which holds each byte in several places."""
READ_AHEAD = 8 << 10
"""Half the bytes that may wait for their reader; with more, nothing is taken from the kernel."""


class Sliced(asyncio.BufferedProtocol):
    """Stands before a protocol and hands it what comes in slices."""

    def __init__(self, inner: Any, buffer: memoryview) -> None:
        """`buffer` may be that of all connections of a loop: it is emptied before the loop goes on."""
        self._inner = inner
        self._buffer = buffer
        self.eof_received = inner.eof_received  # type: ignore[method-assign]  # to be the other's
        self.connection_lost = inner.connection_lost  # type: ignore[method-assign]  # as above
        self.pause_writing = inner.pause_writing  # type: ignore[method-assign]  # as above
        self.resume_writing = inner.resume_writing  # type: ignore[method-assign]  # as above

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the size is ours to choose
        """Give the place for the next slice."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Hand on what has come."""
        self._inner.data_received(bytes(self._buffer[:nbytes]))


class SlicedTls(Sliced):
    """Stands before a loop's own TLS: it has a buffer, of 256 KiB, and fills no more of it than it is given."""

    def buffer_updated(self, nbytes: int) -> None:
        """Hand on what has come."""
        self._inner.get_buffer(nbytes)[:nbytes] = self._buffer[:nbytes]
        self._inner.buffer_updated(nbytes)


def bound_tls(outer: Any, inner: Any, buffer: memoryview) -> None:
    """Bound what TLS takes in while nobody reads: `outer` is the transport beneath it, `inner` the one above."""
    outer.set_protocol(SlicedTls(outer.get_protocol(), buffer))
    inner.set_read_buffer_limits(TLS_SLICE)


class SlicedHandler(ResponseHandler):
    """aiohttp's side of a connection, fed in slices; it wakes its reader whatever ends the connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, buffer: memoryview) -> None:
        super().__init__(loop)
        self._slice = buffer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Stand behind the slices."""
        super().connection_made(transport)
        over_tls = transport.get_extra_info("ssl_object") is not None
        transport.set_protocol(Sliced(self, self._slice[:TLS_SLICE] if over_tls else self._slice))

    def connection_lost(self, exc: BaseException | None) -> None:
        """Tell whoever reads a body; aiohttp forgets to after a malformed chunk."""
        body = self._payload
        super().connection_lost(exc)
        if body is not None and not body.is_eof() and body.exception() is None:
            body.set_exception(aiohttp.ClientPayloadError("the connection ended within the body"))


class Connector(aiohttp.TCPConnector):
    """aiohttp's connections, each read in slices.

    As many as are asked for: waiting in a pool would look like a fault of the provider.
    """

    def __init__(self, tls: ssl.SSLContext, resolver: AbstractResolver, keepalive: float) -> None:
        """`keepalive`: seconds that an idle connection is kept. Call it where an event loop runs."""
        super().__init__(limit=0, ssl=tls, resolver=resolver, keepalive_timeout=keepalive)
        self._slice = memoryview(bytearray(SLICE))
        self._factory = partial(SlicedHandler, self._loop, self._slice)  # type: ignore[assignment]  # partial is invariant

    async def _wrap_create_connection(self, *args: Any, **options: Any) -> tuple[Any, ResponseHandler]:
        if options["ssl"] is None:
            return await super()._wrap_create_connection(*args, **options)
        # In two steps, as aiohttp does it behind a proxy: else what is beneath TLS is out of reach.
        plain = {**options, "ssl": None, "server_hostname": None}
        beneath, _ = await super()._wrap_create_connection(asyncio.Protocol, **plain)
        above, handler = await self._start_tls_connection(beneath, options["req"], options["timeout"])
        bound_tls(beneath, above, self._slice[:TLS_SLICE])
        return above, handler
