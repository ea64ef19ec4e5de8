"""What carries requests to providers, all behind httpx2's own transport interface.

aiohttp's connector carries ordinary HTTP: a fifth of the CPU of httpx2's own. Its adapter reports
a refused connection, a failed look-up and a connection closed after sending alike as
`ConnectTimeout`, so `failure` looks at the cause beneath.
"""

from __future__ import annotations

import socket
import ssl
from ipaddress import ip_address

import aiohttp
import httpx2
from aiohttp.abc import AbstractResolver, ResolveResult
from httpx_aiohttp.httpx2 import AiohttpTransport

from app.config.addresses import is_public
from app.gateway.connections import READ_AHEAD, Connector
from providers.errors import (
    Disconnected,
    MalformedResponse,
    StreamTruncated,
    Unreachable,
    UpstreamError,
    UpstreamTimeout,
)

KEEPALIVE = 60.0
"""Seconds an idle connection is kept. Vendors' load balancers keep theirs at least as long."""


class PublicResolver(AbstractResolver):
    """Resolves names and gives public addresses only, so that what was checked is what is connected to."""

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Give the public addresses of a host. Raises `OSError` where there is none."""
        found = await self._inner.resolve(host, port, family)
        public = [result for result in found if is_public(ip_address(result["host"]))]
        if not public:
            raise OSError(None, "the name has no public address; `allow_private` would permit this one")
        return public

    async def close(self) -> None:
        """Close the resolver behind."""
        await self._inner.close()


def http_transport(tls: ssl.SSLContext, *, allow_private: bool) -> httpx2.AsyncBaseTransport:
    """Build the transport for one provider. Call it where an event loop runs.

    `tls` is shared: a context of its own for each provider would cost 35 ms and half a megabyte each.
    No environment proxies (they would see credentials), no cookies, no limit of connections:
    waiting in a pool would look like a fault of the provider.
    """
    resolver: AbstractResolver = aiohttp.ThreadedResolver()
    connector = Connector(tls, resolver if allow_private else PublicResolver(resolver), KEEPALIVE)
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        read_bufsize=READ_AHEAD,
    )
    return AiohttpTransport(verify=tls, client=session, trust_env=False)


FAULTS = (httpx2.TransportError, aiohttp.ClientError)
"""What a transport may raise. The aiohttp adapter lets some of aiohttp's own through."""


def failure(error: Exception, *, answered: bool) -> UpstreamError:
    """Say what one of `FAULTS` means. `answered`: whether the head of the answer had arrived."""
    cause = error.__cause__
    if isinstance(error, aiohttp.ClientResponseError):
        return MalformedResponse("the provider answered with something that is not HTTP")
    if isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError) or isinstance(
        error, httpx2.ConnectError
    ):
        return Unreachable(f"the provider could not be reached ({type(cause or error).__name__})")
    if isinstance(error, httpx2.TimeoutException) and not isinstance(cause, aiohttp.ClientConnectionError):
        return UpstreamTimeout("the provider did not answer in time")
    if answered:
        return StreamTruncated("the provider closed the connection before the end of its answer")
    return Disconnected("the provider closed the connection before it answered")
