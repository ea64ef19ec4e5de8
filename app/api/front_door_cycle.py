"""One answer on its way out: ASGI messages in, as few writes as can be out.

A write to a connection costs as much as many lines of Python, so the head waits for the first part
of the body (as ASGI allows), and goes out with it.
"""

from __future__ import annotations

import re
from functools import lru_cache

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from app.api.asgi import Message, RawHeaders

JOINED = 1 << 16
"""Bytes of a body that are copied behind its head; of a larger one the copy costs more than a write."""
_LAST_CHUNK = b"0\r\n\r\n"
_FRAMING = frozenset({b"connection", b"content-length", b"transfer-encoding"})
_BODILESS = (204, 304)
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LINE_END = b"\r\n"
_CONTROLS = bytes({*range(0x20), 0x7F} - {0x09})
"""Characters that stand in no value (RFC 9110, 5.5), only between the fields."""


@lru_cache(maxsize=256)
def _plain(name: bytes) -> bytes:
    """Give a header's name in lower case. Raises `RuntimeError` for what is no token (RFC 9110, 5.1)."""
    if not _NAME.fullmatch(name):
        raise RuntimeError("a header's name is no token")
    return name.lower()


class Cycle(RequestResponseCycle):
    """uvicorn's, with a sending side of our own."""

    _head = b""
    """Not sent yet."""
    _chunked = _silent = False
    """Silent: the answer has no body whatever the application says (RFC 9112, 6.3)."""
    _owed: int | None = None
    """Bytes that the body still needs, where its length was told."""

    async def send(self, message: Message) -> None:  # type: ignore[override]  # any mapping, as ASGI has it
        """Take the next message of the answer. Raises `RuntimeError` for one out of turn, or that HTTP cannot hold."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        awaited = "http.response.body" if self.response_started else "http.response.start"
        if message["type"] != awaited or self.response_complete:
            raise RuntimeError(f"an answer goes on with {awaited} to its end, not with {message['type']}")
        if self.response_started:
            self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            self.response_started = True
            self.waiting_for_100_continue = False
            self._head = self._render(message["status"], [*self.default_headers, *message.get("headers", ())])

    def _render(self, status: int, headers: RawHeaders) -> bytes:
        fields = []
        for given, value in headers:
            name = _plain(given)
            if name not in _FRAMING or self._heed(name, value):
                fields.append(b"%b: %b" % (name, value))
        if not self.keep_alive:
            fields.append(b"connection: close")
        self._silent = self.scope["method"] == "HEAD" or status in _BODILESS
        # Without a length and without chunks, as HTTP/1.0 has it, the connection's end is the answer's.
        if self._owed is None and not self._silent and self.scope["http_version"] != "1.0":
            self._chunked = True
            fields.append(b"transfer-encoding: chunked")
        text = _LINE_END.join(fields)
        # Those between the fields are all that there may be.
        if len(text) - len(text.translate(None, _CONTROLS)) != len(_LINE_END) * max(len(fields) - 1, 0):
            raise RuntimeError("a header's value holds a line break or another control character")
        return b"%b%b\r\n\r\n" % (STATUS_LINE[status], text)

    def _heed(self, name: bytes, value: bytes) -> bool:
        """Take what a field says of the framing, and say whether it is sent: how it is framed is decided here."""
        if name == b"content-length":
            self._owed = int(value)
            return True
        if name == b"connection" and b"close" in value.lower():
            self.keep_alive = False
        return False

    def _send_body(self, body: bytes, *, more: bool) -> None:
        if self._silent:
            body = b""
        elif self._chunked:
            last = b"" if more else _LAST_CHUNK
            body = b"%x\r\n%b\r\n%b" % (len(body), body, last) if body else last
        elif self._owed is not None:
            self._owed -= len(body)
            if self._owed < 0 or (self._owed and not more):
                raise RuntimeError("the body is not as long as its Content-Length")
        self._write(body)
        if not more:
            self._complete()

    def _write(self, body: bytes) -> None:
        head, self._head = self._head, b""
        if head and len(body) > JOINED:
            self.transport.write(head)
            head = b""
        if head or body:
            self.transport.write(head + body)

    def _complete(self) -> None:
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
