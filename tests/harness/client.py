"""A client on bare sockets: it sends exactly what it is told, reads at its own pace, and leaves as rudely as asked."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

NO_LINGER = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Response:
    """A whole answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The `error` object, after a look at the form that every error must have."""
        assert self.headers["content-type"] == "application/json", self.headers
        assert self.headers["x-request-id"]
        document = self.json
        assert set(document) == {"error"}, document
        assert set(document["error"]) == {"message", "type", "param", "code"}, document
        error: dict[str, Any] = document["error"]
        return error

    @property
    def request_id(self) -> str:
        return self.headers["x-request-id"]


@dataclass(frozen=True)
class Event:
    """One block of an event stream: its data, or the comment that it is."""

    data: str | None
    comment: str | None
    at: float

    @property
    def json(self) -> Any:
        assert self.data is not None
        return json.loads(self.data)


class Client:
    """One connection to the gateway."""

    def __init__(self, port: int, *, timeout: float = 10.0, receive_buffer: int | None = None) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(("127.0.0.1", port))
        except OSError:
            self._socket.close()
            raise
        self._buffer = b""
        self._body: Iterator[bytes] = iter(())
        self.status = 0
        self.headers: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a request with its length."""
        fields = {"host": "127.0.0.1", "content-length": str(len(body)), **(headers or {})}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.send(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body)

    def post(self, path: str, document: Any, key: str, headers: Mapping[str, str] | None = None) -> None:
        """Send a JSON request with a key."""
        fields = {"content-type": "application/json", "authorization": f"Bearer {key}", **(headers or {})}
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.request("POST", path, body, fields)

    def read_head(self) -> int:
        """Read status line and headers; give the status. Interim answers are skipped."""
        while b"\r\n\r\n" not in self._buffer:
            self._receive()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(status_line.split(" ")[1])
        pairs = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        self.headers = dict(pairs)
        assert len(pairs) == len(self.headers), f"a header is there twice: {pairs}"
        if 100 <= self.status < 200:
            return self.read_head()
        self._body = (
            self._chunks() if "chunked" in self.headers.get("transfer-encoding", "") else self._plain()
        )
        return self.status

    def read(self) -> Response:
        """Read a whole answer."""
        self.read_head()
        return Response(self.status, self.headers, b"".join(self._body))

    def read_body(self) -> bytes:
        """Read what is left of the body."""
        return b"".join(self._body)

    def events(self) -> Iterator[Event]:
        """Give the blocks of an event stream as they arrive. A stream cut inside a block is an error."""
        pending = b""
        for piece in self._body:
            pending += piece
            *blocks, pending = pending.split(b"\n\n")
            yield from map(_event, blocks)
        assert not pending, f"the stream ended inside an event: {pending!r}"

    def receive_some(self, size: int = 1024) -> bytes:
        """Read what is there, at most `size` bytes, past any framing."""
        return self._socket.recv(size)

    def at_eof(self) -> bool:
        """Wait until the gateway closes, and say whether it did so without another byte."""
        try:
            return not self._buffer and self._socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        """Leave with FIN."""
        self._socket.close()

    def reset(self) -> None:
        """Leave with RST."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self._socket.close()

    def _plain(self) -> Iterator[bytes]:
        if "content-length" not in self.headers:
            yield from self._until_eof()
            return
        left = int(self.headers["content-length"])
        while left:
            if not self._buffer:
                self._receive()
            piece, self._buffer = self._buffer[:left], self._buffer[left:]
            left -= len(piece)
            yield piece

    def _until_eof(self) -> Iterator[bytes]:
        if self.status in {204, 304}:
            return
        yield self._buffer
        self._buffer = b""
        while data := self._socket.recv(65_536):
            yield data

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._line(), 16):
            while len(self._buffer) < size + 2:
                self._receive()
            piece, self._buffer = self._buffer[:size], self._buffer[size + 2 :]
            yield piece
        self._line()

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            self._receive()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def _receive(self) -> None:
        data = self._socket.recv(65_536)
        if not data:
            raise ConnectionError("the gateway closed the connection in the middle of an answer")
        self._buffer += data


def _event(block: bytes) -> Event:
    """Read one block, strictly: one `data:` line, or comments, as the gateway promises to write them."""
    text = block.decode()
    now = time.monotonic()
    if text.startswith(":"):
        assert all(line.startswith(":") for line in text.split("\n")), text
        return Event(None, text[1:].strip(), now)
    assert text.startswith("data: "), text
    assert "\n" not in text, text
    assert "\r" not in text, text
    return Event(text.removeprefix("data: "), None, now)
