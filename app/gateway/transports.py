"""What carries requests to providers, as the configuration says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping

from app.config.pool import Pool
from app.gateway.carrier import Carrier
from app.gateway.lean import LeanCarrier
from app.gateway.resolver import PublicResolver, RememberingResolver, Resolver, SystemResolver
from app.gateway.through_httpx import through_httpx


def carrier(
    pool: Pool, tls: ssl.SSLContext, *, allow_private: bool, resolver: Resolver | None = None
) -> Carrier:
    """Build what carries requests to one provider. Call it where an event loop runs.

    Without `allow_private` it connects to public addresses only. Where there is a proxy, that is the
    proxy's address: what a name means behind it is the proxy's to say.
    """
    resolver = resolver or RememberingResolver(SystemResolver(), asyncio.get_running_loop().time)
    build = through_httpx if pool.proxy else _KINDS[pool.transport]
    return build(pool, tls, resolver if allow_private else PublicResolver(resolver))


def _lean(pool: Pool, tls: ssl.SSLContext, resolver: Resolver) -> Carrier:
    return LeanCarrier(tls, resolver, pool.keepalive)


_KINDS: Mapping[str, Callable[[Pool, ssl.SSLContext, Resolver], Carrier]] = {
    "auto": _lean,
    "lean": _lean,
    "httpx2": through_httpx,
}
