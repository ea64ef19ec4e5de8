"""The transport of the embedded provider: an answer from this process, behind the usual interface."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx2
import msgspec

from providers.echo.answers import Answer, answer
from providers.echo.others import fields_of
from providers.types import JsonObject

FORM_BEGINNING = 64 << 10
"""Bytes of a form that are looked at: its fields, and the name of its first file."""


class EchoTransport(httpx2.AsyncBaseTransport):
    """Answers every request itself, at the pace that the request asks for."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request. Raises `ReadError` where it was told to break before the first event."""
        said = answer(request.url.path, await _heard(request), request.method)
        await asyncio.sleep(said.directives.delay)
        if said.breaks and not said.pieces:
            raise httpx2.ReadError("echo was told to break the connection")
        return httpx2.Response(
            said.status, headers=dict(said.headers), stream=_EchoStream(said), request=request
        )


async def _heard(request: httpx2.Request) -> JsonObject:
    """Give a JSON body, or the fields of a form, of whose files only the size is wanted."""
    if request.headers.get("content-type", "").startswith("multipart/"):
        beginning, size = bytearray(), 0
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        async for piece in request.stream:
            beginning += piece[: FORM_BEGINNING - len(beginning)]
            size += len(piece)
        return fields_of(bytes(beginning), size)
    return msgspec.json.decode(await request.aread() or b"{}", type=JsonObject)


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
