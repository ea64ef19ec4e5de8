"""What carries requests to providers, all behind httpx2's own transport interface.

aiohttp's connector carries ordinary HTTP: a fifth of the CPU of httpx2's own. None follows redirects,
keeps cookies or asks the environment for proxies, which would see credentials; none has a limit of
connections, for waiting in a pool would look like a fault of the provider.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import ip_address

import aiohttp
import httpcore2
import httpx2
from aiohttp.abc import AbstractResolver, ResolveResult
from httpx_aiohttp.httpx2 import AiohttpTransport
from yarl import URL

from app.config.addresses import is_public
from app.config.pool import Pool
from app.gateway.connections import READ_AHEAD, Connector
from app.gateway.network import Network
from providers.errors import (
    Disconnected,
    MalformedResponse,
    StreamTruncated,
    Unreachable,
    UpstreamError,
    UpstreamTimeout,
)


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


def http_transport(
    pool: Pool, tls: ssl.SSLContext, *, allow_private: bool, resolver: AbstractResolver | None = None
) -> httpx2.AsyncBaseTransport:
    """Build the transport for one provider. Call it where an event loop runs.

    Without `allow_private` it connects to public addresses only. Where there is a proxy, that is the
    proxy's address: what a name means behind it is the proxy's to say.
    """
    resolver = resolver or aiohttp.ThreadedResolver()
    build = _httpx2 if pool.proxy else _KINDS[pool.transport]
    return build(pool, tls, resolver if allow_private else PublicResolver(resolver))


def _aiohttp(pool: Pool, tls: ssl.SSLContext, resolver: AbstractResolver) -> httpx2.AsyncBaseTransport:
    session = aiohttp.ClientSession(
        connector=Connector(tls, resolver, pool.keepalive),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        read_bufsize=READ_AHEAD,
    )
    # By itself it would undo escapes, and a signature over the path would not fit.
    session._build_url = partial(URL, encoded=True)  # type: ignore[method-assign] # noqa: SLF001 - there is no setting
    # `verify` is not used, the connector has it; without it the adapter would make a context of its own.
    return AiohttpTransport(verify=tls, client=session, trust_env=False)


def _httpx2(pool: Pool, tls: ssl.SSLContext, resolver: AbstractResolver) -> httpx2.AsyncBaseTransport:
    transport = httpx2.AsyncHTTPTransport(verify=tls, trust_env=False)
    # Through its constructor httpx2 takes no network of ours, and without one any address would do.
    transport._pool = httpcore2.AsyncConnectionPool(  # noqa: SLF001 - see above
        ssl_context=tls,
        proxy=_proxy(pool, tls),
        max_connections=None,
        keepalive_expiry=pool.keepalive,
        network_backend=Network(resolver),
    )
    return transport


_KINDS: Mapping[str, Callable[[Pool, ssl.SSLContext, AbstractResolver], httpx2.AsyncBaseTransport]] = {
    "auto": _aiohttp,
    "aiohttp": _aiohttp,
    "httpx2": _httpx2,
}


def _proxy(pool: Pool, tls: ssl.SSLContext) -> httpcore2.Proxy | None:
    if pool.proxy is None:
        return None
    # httpx2 takes user and password out of the URL.
    parsed = httpx2.Proxy(pool.proxy.reveal())
    over_tls = tls if parsed.url.scheme == "https" else None
    return httpcore2.Proxy(str(parsed.url), parsed.raw_auth, ssl_context=over_tls)


FAULTS = (httpx2.TransportError, aiohttp.ClientError)
"""What a transport may raise. The aiohttp adapter lets some of aiohttp's own through."""

_NOT_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, httpcore2.ConnectTimeout)
"""Causes beneath. The aiohttp adapter calls a connection that never stood and one closed after sending alike `ConnectTimeout`."""


def failure(error: Exception, *, answered: bool) -> UpstreamError:
    """Say what one of `FAULTS` means. `answered`: whether the head of the answer had arrived."""
    cause = error.__cause__
    if isinstance(cause, _NOT_CONNECTED) or isinstance(error, httpx2.ConnectError | httpx2.ProxyError):
        return Unreachable(f"the provider could not be reached ({type(cause or error).__name__})")
    if not answered and _is_no_http(error, cause):
        return MalformedResponse("the provider answered with something that is not HTTP")
    if isinstance(error, httpx2.TimeoutException) and not isinstance(cause, aiohttp.ClientConnectionError):
        return UpstreamTimeout("the provider did not answer in time")
    if answered:
        return StreamTruncated("the provider closed the connection before the end of its answer")
    return Disconnected("the provider closed the connection before it answered")


def _is_no_http(error: Exception, cause: BaseException | None) -> bool:
    if isinstance(error, httpx2.RemoteProtocolError):
        # So httpx2 calls a connection that was closed too; only nonsense comes from its parser.
        return cause is not None and cause.__context__ is not None
    return isinstance(error, aiohttp.ClientResponseError)
