"""The transport of the embedded provider: an answer from this process, behind the usual interface."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx2
import msgspec

from providers.echo.answers import Answer, answer


class EchoTransport(httpx2.AsyncBaseTransport):
    """Answers every request itself, at the pace that the request asks for."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request. Raises `ReadError` where it was told to break before the first event."""
        said = answer(request.url.path, msgspec.json.decode(request.content))
        await asyncio.sleep(said.directives.delay)
        if said.breaks and not said.pieces:
            raise httpx2.ReadError("echo was told to break the connection")
        return httpx2.Response(
            said.status, headers=dict(said.headers), stream=_EchoStream(said), request=request
        )


class _EchoStream(httpx2.AsyncByteStream):
    def __init__(self, said: Answer) -> None:
        self._said = said

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for count, piece in enumerate(self._said.pieces):
            # A turn of the loop even without a pause: a producer that never suspends would hold it.
            await asyncio.sleep(self._said.directives.pause if count else 0)
            yield piece
        if self._said.breaks:
            raise httpx2.ReadError("echo was told to break the connection")
