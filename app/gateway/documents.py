"""Getting documents that the configuration names, such as an issuer's keys, by our own client."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from structlog.typing import FilteringBoundLogger

from app.auth.issuer_keys import FetchFailed
from app.auth.key_sources import KeySources
from app.config.pool import Pool
from app.gateway.transports import carrier
from app.gateway.upstream import Answer, Upstream
from providers.errors import UpstreamError
from providers.types import HttpRequest

WITHIN = 2.0
"""Seconds from the look-up of the name to the last byte."""
LARGEST = 256 << 10
"""Bytes. The largest key sets known have some ten thousand."""


class Documents:
    """Fetches. Call it where an event loop runs, and close it."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._ways: dict[bool, Upstream] = {}

    async def fetch(self, url: str, *, allow_private: bool) -> bytes:
        """Get a document. Redirects are not followed. Raises `FetchFailed`."""
        request = HttpRequest(
            "GET", url, (("accept", "application/json"), ("accept-encoding", "identity")), b""
        )
        try:
            async with (
                asyncio.timeout(WITHIN),
                await self._way(allow_private=allow_private).send(request) as answer,
            ):
                return await _body(answer)
        except TimeoutError:
            raise FetchFailed(f"no whole answer within {WITHIN:g} s") from None
        except UpstreamError as error:
            raise FetchFailed(f"{error.message} ({type(error).__name__})") from None

    async def close(self) -> None:
        """Close every connection."""
        for way in self._ways.values():
            await way.close()

    def _way(self, *, allow_private: bool) -> Upstream:
        if allow_private not in self._ways:
            carries = carrier(Pool(), self._tls, allow_private=allow_private)
            self._ways[allow_private] = Upstream(carries, connect=WITHIN)
        return self._ways[allow_private]


@asynccontextmanager
async def key_sources(
    tls: ssl.SSLContext, now: Callable[[], float], log: FilteringBoundLogger
) -> AsyncIterator[KeySources]:
    """Give what fetches the keys of issuers, and close it; `now` in monotonic seconds."""
    documents = Documents(tls)
    sources = KeySources(documents.fetch, now, log)
    try:
        yield sources
    finally:
        await sources.close()
        await documents.close()


async def _body(answer: Answer) -> bytes:
    if answer.head.status != 200:
        raise FetchFailed(f"the answer has status {answer.head.status}")
    body = bytearray()
    while piece := await answer.piece():
        body += piece
        if len(body) > LARGEST:
            raise FetchFailed(f"the answer is larger than {LARGEST} bytes")
    return bytes(body)
