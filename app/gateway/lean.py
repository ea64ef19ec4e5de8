"""HTTP/1.1 straight to providers: a pool of connections for each origin, in which nobody waits."""

from __future__ import annotations

import asyncio
import ssl
from typing import NamedTuple

import httpx2

from app.gateway.connections import SLICE, TLS_SLICE, on_socket, over_tls
from app.gateway.http1 import render_head
from app.gateway.lean_connection import Connection
from app.gateway.pieces import Pieces, length_of
from app.gateway.resolver import Resolver, connected
from providers.errors import Unreachable
from providers.types import Head, HttpRequest

PLACES = 1_000
"""Parsed addresses that are kept. Some dialects have the model in theirs."""


class Origin(NamedTuple):
    """What connections are made to."""

    safe: bool
    """Over TLS."""
    host: str
    port: int


class Place(NamedTuple):
    """A URL, taken apart."""

    origin: Origin
    host: str
    """As the header says it."""
    target: str
    """Path and query."""


class LeanExchange:
    """An answer whose head has arrived. Implements `app.gateway.carrier.Exchange`."""

    __slots__ = ("_carrier", "_connection", "_origin", "head")

    def __init__(self, carrier: LeanCarrier, origin: Origin, connection: Connection, head: Head) -> None:
        self._carrier = carrier
        self._origin = origin
        self._connection: Connection | None = connection
        self.head = head

    async def piece(self) -> bytes:
        """Give the next bytes of the body, or nothing at its end. Raises `StreamTruncated`."""
        return b"" if self._connection is None else await self._connection.piece()

    async def close(self) -> None:
        """Give the connection back, or close it where the body was not read to its end."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._carrier.take_back(self._origin, connection)


class LeanCarrier:
    """Implements `app.gateway.carrier.Carrier`.

    It makes as many connections as are asked for: waiting in a pool would look like a fault of the
    provider. Nothing is sent twice: whether to try again is for the caller to say.
    """

    def __init__(self, tls: ssl.SSLContext, resolver: Resolver, keepalive: float) -> None:
        """`keepalive`: seconds that an idle connection is kept. Call it where an event loop runs."""
        self._loop = asyncio.get_running_loop()
        self._tls = tls
        self._resolver = resolver
        self._keepalive = keepalive
        # One for all connections: it is emptied before the loop goes on.
        self._slice = memoryview(bytearray(SLICE))
        self._places: dict[str, Place] = {}
        self._open: set[Connection] = set()
        self._idle: dict[Origin, dict[Connection, float]] = {}
        """Until when (loop time), the one that will be kept longest last."""
        self._sweeping: asyncio.TimerHandle | None = None
        self._closed = False

    async def send(self, request: HttpRequest, connect: float) -> LeanExchange:
        """Send a request and wait for the head of its answer.

        Raises `Unreachable`, `Disconnected` or `MalformedResponse`.
        """
        origin, host, target = self._places.get(request.url) or self._place(request.url)
        body = request.body
        in_pieces = None if isinstance(body, bytes) else Pieces(body)
        length = len(body) if isinstance(body, bytes) else length_of(body)
        head = render_head(request.method, target, host, request.headers, length)
        connection = self._kept(origin) or await self._connect(origin, connect)
        try:
            answered = await connection.ask(
                (head, body) if isinstance(body, bytes) and body else (head,),
                in_pieces,
                bodiless=request.method == "HEAD",
            )
        except BaseException:
            connection.abort()
            raise
        return LeanExchange(self, origin, connection, answered)

    async def close(self) -> None:
        """Close every connection, those that carry something too."""
        self._closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        for connection in list(self._open):
            connection.abort()
        # The loop closes them in its next turn.
        await asyncio.sleep(0)

    def take_back(self, origin: Origin, connection: Connection) -> None:
        """Keep a connection for the next request, if it can carry one."""
        if self._closed or not connection.usable:
            connection.abort()
            return
        until = self._loop.time() + self._keepalive
        self._idle.setdefault(origin, {})[connection] = until
        if self._sweeping is None:
            self._sweeping = self._loop.call_at(until, self._sweep)

    def _kept(self, origin: Origin) -> Connection | None:
        """Give the connection that was used last: so those that are not needed get old."""
        idle = self._idle.get(origin)
        while idle:
            connection, until = idle.popitem()
            if until > self._loop.time() and connection.usable:
                return connection
            connection.abort()
        return None

    def _sweep(self) -> None:
        """Close what was idle for too long, and come back when the next one will have been."""
        now, self._sweeping = self._loop.time(), None
        for origin, idle in list(self._idle.items()):
            for connection in [each for each, until in idle.items() if until <= now]:
                del idle[connection]
                connection.abort()
            if not idle:
                del self._idle[origin]
        firsts = [next(iter(idle.values())) for idle in self._idle.values()]
        if firsts:
            self._sweeping = self._loop.call_at(min(firsts), self._sweep)

    async def _connect(self, origin: Origin, within: float) -> Connection:
        connection = Connection(self._slice[:TLS_SLICE] if origin.safe else self._slice, self._lost)
        try:
            async with asyncio.timeout(within):
                await self._reach(origin, connection)
        except (OSError, UnicodeError) as error:
            # A name that cannot be one is a UnicodeError.
            raise Unreachable(f"the provider could not be reached ({type(error).__name__})") from error
        self._open.add(connection)
        return connection

    async def _reach(self, origin: Origin, connection: Connection) -> None:
        transport = await on_socket(connection, await connected(self._resolver, origin.host, origin.port))
        if origin.safe:
            transport = await over_tls(transport, connection, self._tls, origin.host, self._slice)
        connection.transport = transport
        if self._closed:
            connection.abort()
            raise ConnectionAbortedError

    def _lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        for idle in self._idle.values():
            idle.pop(connection, None)

    def _place(self, text: str) -> Place:
        """Take a URL apart once: it is the same for every call of an operation. Raises `httpx2.InvalidURL`."""
        url = httpx2.URL(text)
        safe = url.scheme == "https"
        origin = Origin(safe, url.raw_host.decode(), url.port or (443 if safe else 80))
        place = Place(origin, url.netloc.decode(), url.raw_path.decode())
        if len(self._places) >= PLACES:
            self._places.clear()
        self._places[text] = place
        return place
