"""The client's side of one call: its response on the wire, its silence, its leaving."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from app.api.asgi import Send, error_messages
from app.errors import GatewayError
from app.gateway.client import JSON, Headers
from providers.types import Delivery

KEEPALIVE_INTERVAL = 15.0
"""Seconds of silence after which a comment is sent: under the 30 to 60 s that proxies wait."""
COMMENT = b": keep-alive\n\n"
DONE = b"data: [DONE]\n\n"

_UNBUFFERED: Headers = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))
_EVENT_HEADERS: Headers = (("content-type", "text/event-stream; charset=utf-8"), *_UNBUFFERED)
_HEADERS: Mapping[Delivery, Headers] = {Delivery.BYTES: _UNBUFFERED}
"""Of what is not server-sent events the content type comes with the answer."""


class ClientConnection:
    """Answers one request. Implements `app.gateway.client.Client`."""

    def __init__(self, send: Send, request_id: str, break_off: Callable[[], None] | None = None) -> None:
        """`break_off` closes the connection without the end of the response."""
        self._send = send
        self._break_off = break_off
        self._request_id = request_id
        self._sending = False
        self._last_sent = 0.0
        self.ended = False
        self.committed = False
        self.has_content = False
        self.left = False
        self.delivery = Delivery.EVENTS
        """How an answer comes that is not whole."""

    async def reply(self, body: bytes, headers: Headers, media: str = JSON) -> None:
        """Send a whole answer."""
        await self._start(200, (("content-type", media), ("content-length", str(len(body))), *headers))
        await self._body(body, more=False)

    async def write(self, frames: bytes, headers: Headers) -> None:
        """Send what has come, after status and headers if those have not gone yet."""
        self.has_content = True
        await self._commit(headers)
        await self._body(frames, more=True)

    async def end(self, frames: bytes = b"", headers: Headers = ()) -> None:
        """Send what comes last, and the terminal event where there is one, and end the response."""
        self.has_content = self.has_content or bool(frames)
        await self._commit(headers)
        await self._body(frames + DONE if self.delivery is Delivery.EVENTS else frames, more=False)

    async def refuse(self, error: GatewayError, *, close: bool) -> None:
        """Tell the client of an error: as a response, or as the last event of a stream, without `[DONE]`.

        Bytes of another kind have no place for one: their response breaks off.
        """
        if self.ended or self.left:
            return
        if self.committed and self.delivery is Delivery.BYTES:
            self.ended = True
            if self._break_off is not None:
                self._break_off()
            return
        if self.committed:
            await self._body(b"data: %b\n\n" % error.body(), more=False)
            return
        self.committed = True
        for message in error_messages(error, self._request_id, close=close):
            await self._send(message)
        self.ended = True

    def comment_due(self, begun: float, commit_after: float) -> float:
        """Give the loop time at which the silence is long enough for a comment."""
        return self._last_sent + KEEPALIVE_INTERVAL if self.committed else begun + commit_after

    async def comment(self) -> None:
        """Send a comment, unless something else is being sent; it begins a stream that has not begun."""
        if self.ended or self._sending:
            return
        if not self.committed:
            await self._start(200, _EVENT_HEADERS)
        await self._body(COMMENT, more=True)

    async def _commit(self, headers: Headers) -> None:
        if not self.committed:
            await self._start(200, (*_HEADERS.get(self.delivery, _EVENT_HEADERS), *headers))

    async def _start(self, status: int, headers: Headers) -> None:
        self.committed = True
        pairs = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers]
        pairs.append((b"x-request-id", self._request_id.encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def _body(self, data: bytes, *, more: bool) -> None:
        self.ended = self.ended or not more
        if self.left:
            return
        self._sending = True
        try:
            await self._send({"type": "http.response.body", "body": data, "more_body": more})
        finally:
            self._sending = False
            self._last_sent = asyncio.get_running_loop().time()
