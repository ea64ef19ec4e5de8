"""Where a client is, when proxies stand before the gateway. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from app.api.asgi import RawHeaders, Scope
from app.config.networks import AnyNetwork

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

UNKNOWN = "unknown"
_IPV4 = re.compile(r"(?:[1-9]\d{0,2}|0)(?:\.(?:[1-9]\d{0,2}|0)){3}")
"""As systems write them: nothing is left to be read or written anew."""
_ENTRIES = 32
"""Of `X-Forwarded-For` that are looked at, from the right: more proxies than anybody has."""


def client_network(scope: Scope, trusted: Sequence[AnyNetwork]) -> str:
    """Give the address of a request's client; of IPv6, its network of 64 bits, which is one subscriber's.

    What a trusted proxy appends to `X-Forwarded-For` is believed, from right to left, up to the first address
    that is no such proxy.
    """
    peer = scope.get("client")
    if peer and not trusted and _IPV4.fullmatch(peer[0]):
        return str(peer[0])
    found = _address(peer[0]) if peer else None
    if found is None:
        return UNKNOWN
    for entry in reversed(_forwarded_for(scope["headers"])[-_ENTRIES:]):
        before = _address(entry) if _is_one_of(found, trusted) else None
        if before is None:
            break
        found = before
    return _shown(found)


def _forwarded_for(headers: RawHeaders) -> list[str]:
    lines = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
    return ",".join(lines).split(",") if lines else []


def _address(text: str) -> Address | None:
    """Read an address, with or without a port and brackets."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _is_one_of(address: Address, networks: Sequence[AnyNetwork]) -> bool:
    return any(address in network for network in networks)


def _shown(address: Address) -> str:
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((int(address), 64), strict=False))
