"""The one place that speaks HTTP to providers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import TracebackType
from typing import Self

import httpx2

from app.gateway.pieces import Pieces, length_of
from app.gateway.transports import FAULTS, failure
from providers.errors import MalformedResponse, Redirected, ResponseTooLarge
from providers.types import Head, HttpRequest

USER_AGENT = "switchgear"
BODY_LIMIT = 64 << 20
"""Bytes of a whole answer: several times the largest known (base64 images and long embeddings)."""
PIECE = 16 << 10
"""Bytes that are read, translated and passed on at once: what is held of each, several times, for a slow reader."""
ADDRESSES = 1_000
"""Parsed addresses that are kept. Some dialects have the model in theirs."""
ERROR_BODY_LIMIT = 256 << 10
"""Bytes read of an error's body. The rest is of no use."""


class Answer:
    """An upstream's answer: its head has arrived, its body is still to be read. Close it."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self.head = Head(
            response.status_code, {name.lower(): value for name, value in response.headers.items()}
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Give the body's bytes as they arrive, at most `PIECE` at once. Raises `UpstreamError`."""
        if self.head.headers.get("content-encoding", "identity") not in ("identity", ""):
            raise MalformedResponse("the provider compressed its answer although it was asked not to")
        stream = self._response.stream
        assert isinstance(stream, httpx2.AsyncByteStream)
        try:
            async for piece in stream:
                for start in range(0, len(piece), PIECE):
                    yield piece[start : start + PIECE]
        except FAULTS as error:
            raise failure(error, answered=True) from error

    async def read(self) -> bytes:
        """Read the whole body. Raises `ResponseTooLarge`, or what `pieces` raises."""
        limit = BODY_LIMIT if self.head.status < 300 else ERROR_BODY_LIMIT
        declared = self.head.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > limit and self.head.status < 300:
            raise ResponseTooLarge(f"the provider's answer is larger than {limit} bytes")
        body = bytearray()
        async with aclosing(self.pieces()) as pieces:
            async for piece in pieces:
                body += piece
                if len(body) > limit:
                    if self.head.status >= 300:
                        break
                    raise ResponseTooLarge(f"the provider's answer is larger than {limit} bytes")
        return bytes(body)

    async def close(self) -> None:
        """Give the connection back, or close it where the body was not read to its end."""
        try:
            await self._response.aclose()
        except FAULTS:
            # Closing a broken connection has nothing to tell that reading did not.
            return


class Upstream:
    """One provider's connections."""

    def __init__(self, transport: httpx2.AsyncBaseTransport, *, connect: float) -> None:
        self._transport = transport
        self._urls: dict[str, httpx2.URL] = {}
        # `pool` bounds all that comes before a request is sent: to aiohttp the look-up of a name and a proxy's answer too.
        self._timeout = {"connect": connect, "read": None, "write": None, "pool": connect}

    async def send(self, request: HttpRequest) -> Answer:
        """Send a request and wait for the head of its answer; how long is the caller's to bound.

        Raises `Unreachable`, `Disconnected` or `Redirected`.
        """
        headers = [("user-agent", USER_AGENT), *request.headers]
        content = request.body
        message = httpx2.Request(
            request.method,
            self._url(request.url),
            headers=headers if isinstance(content, bytes) else [*headers, length_of(content)],
            content=content if isinstance(content, bytes) else Pieces(content),
            extensions={"timeout": self._timeout},
        )
        try:
            answer = Answer(await self._transport.handle_async_request(message))
        except FAULTS as error:
            raise failure(error, answered=False) from error
        if 300 <= answer.head.status < 400:
            await answer.close()
            raise Redirected(
                "the provider answered with a redirect, which is never followed", status=answer.head.status
            )
        return answer

    def _url(self, text: str) -> httpx2.URL:
        """Parse an address once: it is the same for every call of an operation, and costs as much as all headers."""
        url = self._urls.get(text)
        if url is None:
            if len(self._urls) >= ADDRESSES:
                self._urls.clear()
            url = self._urls[text] = httpx2.URL(text)
        return url

    async def close(self) -> None:
        """Close every connection."""
        await self._transport.aclose()
        # aiohttp closes TLS transports in the next turns of the loop.
        await asyncio.sleep(0)
