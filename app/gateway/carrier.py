"""What carries a request to a provider and its answer back, whatever stands behind it."""

from __future__ import annotations

from typing import Protocol

from providers.types import Head, HttpRequest


class Exchange(Protocol):
    """An answer whose head has arrived."""

    @property
    def head(self) -> Head:
        """Status and headers."""
        ...

    async def piece(self) -> bytes:
        """Give the next bytes of the body, or nothing at its end. Raises `StreamTruncated`."""
        ...

    async def close(self) -> None:
        """Give the connection back, or close it where the body was not read to its end."""
        ...


class Carrier(Protocol):
    """One provider's connections. None follows redirects, keeps cookies or asks the environment for proxies."""

    async def send(self, request: HttpRequest, connect: float) -> Exchange:
        """Send a request and wait for the head of its answer; `connect` in seconds, until there is a connection.

        Raises `Unreachable`, `Disconnected`, `UpstreamTimeout` or `MalformedResponse`.
        """
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...
