"""Answers as the front door writes them: how they are framed, in how few writes, and what they cannot hold."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from app.api.front_door import front_door
from app.api.front_door_cycle import JOINED

Send = Callable[[dict[str, Any]], Awaitable[None]]
Serve = Callable[[Any, Send], Awaitable[None]]
HEAD_END = b"\r\n\r\n"


class Wire(asyncio.Transport):
    """A connection that keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 5), "sockname": ("127.0.0.1", 4)})
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Connection:
    """A connection of the front door, in front of a small application."""

    def __init__(self, serve: Serve) -> None:
        async def app(scope: Any, receive: Any, send: Send) -> None:
            self.scopes.append(scope)
            await serve(receive, send)

        self.scopes: list[Any] = []
        self.wire, self.state = Wire(), ServerState()
        self.state.default_headers = [(b"date", b"today")]
        config = uvicorn.Config(app, log_config=None, ws="none")  # type: ignore[arg-type]  # any mapping
        self.door = front_door()(config, self.state, {})
        self.door.connection_made(self.wire)

    async def ask(self, data: bytes) -> list[bytes]:
        """Send this, let the application end, and give what was written for it."""
        before = len(self.wire.writes)
        self.door.data_received(data)
        await self.settle()
        return self.wire.writes[before:]

    async def settle(self) -> None:
        while tasks := set(self.state.tasks):
            await asyncio.wait(tasks, timeout=5)

    def end(self) -> None:
        self.door.connection_lost(None)


def request(method: str = "GET", version: str = "1.1", *headers: str) -> bytes:
    return "\r\n".join((f"{method} /a%20b?c HTTP/{version}", "Host: x", *headers, "", "")).encode()


def answering(*bodies: bytes, status: int = 200, headers: Any = ()) -> Serve:
    """Answer with these parts of a body."""

    async def serve(_receive: Any, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        for left, body in zip(range(len(bodies) - 1, -1, -1), bodies, strict=True):
            await send({"type": "http.response.body", "body": body, "more_body": left > 0})

    return serve


def length(number: int) -> tuple[bytes, bytes]:
    return b"Content-Length", b"%d" % number


FRAMED = [
    # What is asked, what the application answers, the head's last fields, the body, whether the connection ends.
    (request(), answering(b"abc", headers=[length(3)]), b"content-length: 3", b"abc", False),
    (request(), answering(b"ab", b"c", headers=[length(3)]), b"content-length: 3", b"abc", False),
    (request(), answering(b""), b"transfer-encoding: chunked", b"0\r\n\r\n", False),
    (
        request(),
        answering(b"0123456789abcdef", b"", b"z"),
        b"transfer-encoding: chunked",
        b"10\r\n0123456789abcdef\r\n1\r\nz\r\n0\r\n\r\n",
        False,
    ),
    (
        request(),
        answering(b"a", headers=[(b"Transfer-Encoding", b"chunked")]),
        b"transfer-encoding: chunked",
        b"1\r\na\r\n0\r\n\r\n",
        False,
    ),
    (request("HEAD"), answering(b"abc", headers=[length(3)]), b"content-length: 3", b"", False),
    (request("HEAD"), answering(b"abc"), b"date: today", b"", False),
    (request(), answering(b"", status=204), b"date: today", b"", False),
    (request(), answering(b"not one", status=304, headers=[length(7)]), b"content-length: 7", b"", False),
    (
        request("GET", "1.0"),
        answering(b"a", headers=[length(1)]),
        b"content-length: 1\r\nconnection: close",
        b"a",
        True,
    ),
    # HTTP/1.0 has no chunks: the connection's end is the body's.
    (request("GET", "1.0"), answering(b"a", b"b"), b"connection: close", b"ab", True),
    (
        request("GET", "1.1", "Connection: close"),
        answering(b"a", headers=[length(1)]),
        b"content-length: 1\r\nconnection: close",
        b"a",
        True,
    ),
    (
        request(),
        answering(b"a", headers=[length(1), (b"CONNECTION", b"Close")]),
        b"content-length: 1\r\nconnection: close",
        b"a",
        True,
    ),
]


async def test_answers_are_framed_as_http_wants_it_and_begin_in_one_write() -> None:
    for asked, serve, last_fields, body, ends in FRAMED:
        connection = Connection(serve)
        writes = await connection.ask(asked)
        head, _, rest = b"".join(writes).partition(HEAD_END)
        case = (asked, head, rest)
        assert head.startswith(b"HTTP/1.1 "), case
        assert head.endswith(b"\r\n" + last_fields), case
        assert head.count(b"transfer-encoding") + head.count(b"content-length") <= 1, case
        assert head.lower().count(b"connection") <= 1, case
        assert rest == body, case
        assert connection.wire.closed == ends, case
        first_part = writes[0].partition(HEAD_END)[2]
        assert first_part or not body, case
        assert connection.scopes[0]["path"] == "/a b"
        assert connection.scopes[0]["query_string"] == b"c"
        connection.end()


async def test_a_connection_serves_one_request_after_the_other_and_those_sent_ahead_in_order() -> None:
    connection = Connection(answering(b"abc", headers=[length(3)]))
    for _ in range(2):
        assert len(await connection.ask(request())) == 1
    assert len(await connection.ask(request("HEAD") + request())) == 2
    assert [write.endswith(b"abc") for write in connection.wire.writes] == [True, True, False, True]
    connection.end()


async def test_a_large_body_is_not_copied_behind_its_head() -> None:
    body = b"x" * (JOINED + 1)
    connection = Connection(answering(body, headers=[length(len(body))]))
    head, rest = await connection.ask(request())
    assert head.endswith(HEAD_END)
    assert rest == body
    connection.end()


async def test_case_13_a_client_that_waits_is_told_to_go_on_once_and_only_when_the_body_is_asked_for() -> (
    None
):
    async def read_first(receive: Any, send: Send) -> None:
        assert (await receive())["body"] == b"ab"
        await answering(b"ok", headers=[length(2)])(receive, send)

    asking = request("POST", "1.1", "Content-Length: 2", "Expect: 100-continue")
    patient = Connection(read_first)
    patient.door.data_received(asking)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert patient.wire.writes == [b"HTTP/1.1 100 Continue\r\n\r\n"]
    (answer,) = await patient.ask(b"ab")
    assert answer.endswith(b"ok")
    assert b"connection" not in answer
    patient.end()
    hasty = Connection(answering(b"no", status=413, headers=[length(2)]))
    (answer,) = await hasty.ask(asking)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in answer
    hasty.end()


async def test_what_http_cannot_hold_ends_the_connection_and_is_not_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wrong = {
        "too short": answering(b"ab", headers=[length(3)]),
        "too long": answering(b"abcd", headers=[length(3)]),
        "too long later": answering(b"abc", b"d", headers=[length(3)]),
        "line feed": answering(b"", headers=[(b"a", b"b\nc: d")]),
        "carriage return": answering(b"", headers=[(b"a", b"b\rc: d")]),
        "line at the end": answering(b"", headers=[(b"a", b"b\r\n")]),
        "nul": answering(b"", headers=[(b"a", b"\0")]),
        "name": answering(b"", headers=[(b"a b", b"c")]),
        "name with a line": answering(b"", headers=[(b"a\r\nb", b"c")]),
        "no name": answering(b"", headers=[(b"", b"c")]),
    }
    for what, serve in wrong.items():
        connection = Connection(serve)
        with caplog.at_level(logging.CRITICAL, "uvicorn.error"):
            said = b"".join(await connection.ask(request()))
        assert connection.wire.closed, what
        # What had gone before it turned out to be wrong cannot be taken back.
        assert said.partition(HEAD_END)[2] == (b"abc" if what == "too long later" else b""), what
        assert bool(said) == (what == "too long later"), what
        connection.end()


async def test_messages_out_of_turn_are_a_mistake_of_the_application() -> None:
    start = {"type": "http.response.start", "status": 200, "headers": [length(1)]}
    body = {"type": "http.response.body", "body": b"a"}
    heard: list[str] = []

    async def out_of_turn(_receive: Any, send: Send) -> None:
        for message, is_right in ((body, False), (start, True), (start, False), (body, True), (body, False)):
            if is_right:
                await send(message)
                continue
            with pytest.raises(RuntimeError) as raised:
                await send(message)
            heard.append(str(raised.value))

    connection = Connection(out_of_turn)
    (answer,) = await connection.ask(request())
    assert answer.endswith(HEAD_END + b"a")
    assert len(heard) == 3
    connection.end()


async def test_nothing_is_written_for_a_client_that_has_left() -> None:
    left = asyncio.Event()

    async def late(_receive: Any, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await left.wait()
        await send({"type": "http.response.body", "body": b"b", "more_body": True})
        await send({"type": "http.response.body", "body": b"c"})

    connection = Connection(late)
    connection.door.data_received(request())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    connection.end()
    left.set()
    await connection.settle()
    assert len(connection.wire.writes) == 1
    assert connection.wire.writes[0].endswith(b"1\r\na\r\n")
