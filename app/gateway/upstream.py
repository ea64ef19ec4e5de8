"""One provider as the gateway speaks to it: over HTTP, within bounds, and no further than the answer."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from app.gateway.carrier import Carrier, Exchange
from providers.errors import MalformedResponse, Redirected, ResponseTooLarge
from providers.types import HttpRequest

USER_AGENT = "switchgear"
BODY_LIMIT = 64 << 20
"""Bytes of a whole answer: several times the largest known (base64 images and long embeddings)."""
PIECE = 16 << 10
"""Bytes that are read, translated and passed on at once: what is held of each, several times, for a slow reader."""
ERROR_BODY_LIMIT = 256 << 10
"""Bytes read of an error's body. The rest is of no use."""


class Answer:
    """An upstream's answer: its head has arrived, its body is still to be read. Close it."""

    __slots__ = ("_encoded", "_left", "exchange", "head")

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._left = b""
        self.head = exchange.head
        self._encoded = self.head.headers.get("content-encoding", "identity") not in ("identity", "")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.exchange.close()

    async def piece(self) -> bytes:
        """Give the body's next bytes, at most `PIECE`, or nothing at its end. Raises `UpstreamError`."""
        if self._encoded:
            raise MalformedResponse("the provider compressed its answer although it was asked not to")
        piece = self._left or await self.exchange.piece()
        self._left = piece[PIECE:]
        return piece[:PIECE]

    async def read(self) -> bytes:
        """Read the whole body. Raises `ResponseTooLarge`, or what `piece` raises."""
        failed = self.head.status >= 300
        limit = ERROR_BODY_LIMIT if failed else BODY_LIMIT
        declared = self.head.headers.get("content-length", "")
        if not failed and declared.isdigit() and int(declared) > limit:
            raise ResponseTooLarge(f"the provider's answer is larger than {limit} bytes")
        pieces, size = [], 0
        while piece := await self.piece():
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                if failed:
                    break
                raise ResponseTooLarge(f"the provider's answer is larger than {limit} bytes")
        return b"".join(pieces)

    async def close(self) -> None:
        """Give the connection back, or close it where the body was not read to its end."""
        await self.exchange.close()


class Upstream:
    """One provider's connections."""

    def __init__(self, carrier: Carrier, *, connect: float) -> None:
        """`connect`: seconds until a connection stands, the look-up of its name included."""
        self._carrier = carrier
        self._connect = connect

    async def send(self, request: HttpRequest) -> Answer:
        """Send a request and wait for the head of its answer; how long is the caller's to bound.

        Raises `Unreachable`, `Disconnected`, `MalformedResponse` or `Redirected`.
        """
        named = HttpRequest(
            request.method, request.url, (("user-agent", USER_AGENT), *request.headers), request.body
        )
        answer = Answer(await self._carrier.send(named, self._connect))
        if 300 <= answer.head.status < 400:
            await answer.close()
            raise Redirected(
                "the provider answered with a redirect, which is never followed", status=answer.head.status
            )
        return answer

    async def close(self) -> None:
        """Close every connection."""
        await self._carrier.close()
