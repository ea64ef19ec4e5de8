"""Any transport of httpx2's as a carrier: its own, which goes through proxies, and what answers in this process."""

from __future__ import annotations

import ssl

import httpcore2
import httpx2

from app.config.pool import Pool
from app.gateway.network import Network
from app.gateway.pieces import Pieces, length_of
from app.gateway.resolver import Resolver
from providers.errors import (
    Disconnected,
    MalformedResponse,
    StreamTruncated,
    Unreachable,
    UpstreamError,
    UpstreamTimeout,
)
from providers.types import Head, HttpRequest


class HttpxExchange:
    """An answer whose head has arrived. Implements `app.gateway.carrier.Exchange`."""

    def __init__(self, response: httpx2.Response) -> None:
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        self._response = response
        self._pieces = aiter(response.stream)
        self.head = Head(
            response.status_code, {name.lower(): value for name, value in response.headers.items()}
        )

    async def piece(self) -> bytes:
        """Give the next bytes of the body, or nothing at its end. Raises `StreamTruncated`."""
        try:
            async for piece in self._pieces:
                if piece:
                    return piece
        except httpx2.TransportError as error:
            raise _failure(error, answered=True) from error
        return b""

    async def close(self) -> None:
        """Give the connection back, or close it where the body was not read to its end."""
        try:
            await self._response.aclose()
        except httpx2.TransportError:
            # Closing a broken connection has nothing to tell that reading did not.
            return


class HttpxCarrier:
    """Implements `app.gateway.carrier.Carrier`."""

    def __init__(self, transport: httpx2.AsyncBaseTransport) -> None:
        self._transport = transport

    async def send(self, request: HttpRequest, connect: float) -> HttpxExchange:
        """Send a request and wait for the head of its answer. Raises what the interface says."""
        # `pool` bounds all that comes before a request is sent, a proxy's answer too.
        timeout = {"connect": connect, "read": None, "write": None, "pool": connect}
        body, headers = request.body, request.headers
        if not isinstance(body, bytes):
            headers = (*headers, ("content-length", str(length_of(body))))
        message = httpx2.Request(
            request.method,
            request.url,
            headers=headers,
            content=body if isinstance(body, bytes) else Pieces(body),
            extensions={"timeout": timeout},
        )
        try:
            return HttpxExchange(await self._transport.handle_async_request(message))
        except httpx2.TransportError as error:
            raise _failure(error, answered=False) from error

    async def close(self) -> None:
        """Close every connection."""
        await self._transport.aclose()


def through_httpx(pool: Pool, tls: ssl.SSLContext, resolver: Resolver) -> HttpxCarrier:
    """Build one over httpx2's own transport, and through the pool's proxy if there is one."""
    transport = httpx2.AsyncHTTPTransport(verify=tls, trust_env=False)
    # Through its constructor httpx2 takes no network of ours, and without one any address would do.
    transport._pool = httpcore2.AsyncConnectionPool(  # noqa: SLF001 - see above
        ssl_context=tls,
        proxy=_proxy(pool, tls),
        max_connections=None,
        keepalive_expiry=pool.keepalive,
        network_backend=Network(resolver),
    )
    return HttpxCarrier(transport)


def _proxy(pool: Pool, tls: ssl.SSLContext) -> httpcore2.Proxy | None:
    if pool.proxy is None:
        return None
    # httpx2 takes user and password out of the URL.
    parsed = httpx2.Proxy(pool.proxy.reveal())
    over_tls = tls if parsed.url.scheme == "https" else None
    return httpcore2.Proxy(str(parsed.url), parsed.raw_auth, ssl_context=over_tls)


def _failure(error: httpx2.TransportError, *, answered: bool) -> UpstreamError:
    """Say what an error means. `answered`: whether the head of the answer had arrived."""
    cause = error.__cause__
    if isinstance(cause, httpcore2.ConnectTimeout) or isinstance(
        error, httpx2.ConnectError | httpx2.ProxyError
    ):
        return Unreachable(f"the provider could not be reached ({type(cause or error).__name__})")
    if not answered and _is_no_http(error, cause):
        return MalformedResponse("the provider answered with something that is not HTTP")
    if isinstance(error, httpx2.TimeoutException):
        return UpstreamTimeout("the provider did not answer in time")
    if answered:
        return StreamTruncated("the provider closed the connection before the end of its answer")
    return Disconnected("the provider closed the connection before it answered")


def _is_no_http(error: httpx2.TransportError, cause: BaseException | None) -> bool:
    # So httpx2 calls a connection that was closed too; only nonsense comes from its parser.
    return (
        isinstance(error, httpx2.RemoteProtocolError) and cause is not None and cause.__context__ is not None
    )
