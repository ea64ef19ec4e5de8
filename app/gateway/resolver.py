"""Names → addresses, and a connection to the first address that answers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any, Protocol

import aiohappyeyeballs

from app.config.addresses import is_public

Address = tuple[int, int, int, str, Any]
"""What `getaddrinfo` gives for one address: family, type, protocol, nothing, and host with port."""
NEXT_ADDRESS = 0.25
"""Seconds after which a host's next address is tried beside the first (RFC 8305, section 5)."""
REMEMBERED = 10.0
"""Seconds for which a name means what it meant: providers move theirs within a minute."""


class Resolver(Protocol):
    """Looks names up."""

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Give the addresses of a host, one at least. Raises `OSError`, or `UnicodeError` for what can be no name."""
        ...


class SystemResolver:
    """Asks the system, in a thread."""

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Give all addresses for TCP that this machine has a way to."""
        loop = asyncio.get_running_loop()
        return await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)


class RememberingResolver:
    """Asks another one once, for all who want to know within the next seconds."""

    def __init__(self, inner: Resolver, now: Callable[[], float]) -> None:
        """`now` in monotonic seconds."""
        self._inner = inner
        self._now = now
        self._asked: dict[tuple[str, int], tuple[float, asyncio.Task[Sequence[Address]]]] = {}

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Give what the other one gave. Its failures are remembered by nobody."""
        until, asking = self._asked.get((host, port), (0.0, None))
        if asking is None or self._now() >= until or (asking.done() and _failed(asking)):
            asking = asyncio.get_running_loop().create_task(_resolve(self._inner, host, port), name="look-up")
            self._asked[host, port] = (self._now() + REMEMBERED, asking)
        # Shielded: whoever stops waiting must not take the answer from the others.
        return await asyncio.shield(asking)


class PublicResolver:
    """Gives public addresses only, so that what was checked is what is connected to."""

    def __init__(self, inner: Resolver) -> None:
        self._inner = inner

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Give the public addresses of a host. Raises `OSError` where there is none."""
        found = await self._inner.resolve(host, port)
        public = [address for address in found if is_public(ip_address(address[4][0]))]
        if not public:
            raise OSError(None, "the name has no public address; `allow_private` would permit this one")
        return public


async def connected(resolver: Resolver, host: str, port: int) -> socket.socket:
    """Give a socket that is connected to the first address that answers. Raises what `resolve` raises."""
    found = await resolver.resolve(host, port)
    return await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=NEXT_ADDRESS)


async def _resolve(resolver: Resolver, host: str, port: int) -> Sequence[Address]:
    return await resolver.resolve(host, port)


def _failed(asking: asyncio.Task[Sequence[Address]]) -> bool:
    return asking.cancelled() or asking.exception() is not None
