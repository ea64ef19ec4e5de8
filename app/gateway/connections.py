"""How bytes come in from a provider: little at a time, so that a reader who does not read holds little."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

SLICE = 16 << 10
"""Bytes that are taken from the kernel at once. uvloop would take 250 KiB, and hold them for a reader who stalls."""
TLS_SLICE = 8 << 10
"""The same over TLS, which holds each byte in several places."""
READ_AHEAD = 8 << 10
"""Bytes that may wait for their reader; with more, nothing is taken from the kernel."""


class SlicedTls(asyncio.BufferedProtocol):
    """Stands before a loop's own TLS: it has a buffer, of 256 KiB, and fills no more of it than it is given."""

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
        self._inner.get_buffer(nbytes)[:nbytes] = self._buffer[:nbytes]
        self._inner.buffer_updated(nbytes)


async def on_socket(protocol: asyncio.BaseProtocol, connected: socket.socket) -> Any:
    """Give the transport of a socket, which it owns from now on."""
    try:
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: protocol, sock=connected)
    except BaseException:
        connected.close()
        raise
    return transport


async def over_tls(
    beneath: Any, protocol: asyncio.BaseProtocol, tls: ssl.SSLContext, name: str | None, buffer: memoryview
) -> Any:
    """Give the transport of TLS over another one, bounded in what it takes in while nobody reads.

    `name` is the one that the certificate must have. Raises `OSError`; then the one beneath is closed.
    """
    loop: Any = asyncio.get_running_loop()
    try:
        above = await loop.start_tls(beneath, protocol, tls, server_hostname=name)
    except BaseException:
        beneath.abort()
        raise
    if above is None:
        # So the loop tells of a connection that was closed while it shook hands.
        raise ConnectionAbortedError
    beneath.set_protocol(SlicedTls(beneath.get_protocol(), buffer[:TLS_SLICE]))
    above.set_read_buffer_limits(TLS_SLICE)
    return above
