"""The lean carrier on real sockets: what it keeps, what it closes, what it leaves in the kernel. On uvloop."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from app.gateway.lean import LeanCarrier, LeanExchange
from app.gateway.resolver import Address, RememberingResolver, SystemResolver
from providers.errors import Disconnected, StreamTruncated, Unreachable
from providers.types import HttpRequest

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
PATIENCE = 5.0


def run(work: Coroutine[Any, Any, Any]) -> Any:
    async def in_time() -> Any:
        async with asyncio.timeout(4 * PATIENCE):
            return await work

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(in_time())


class Server:
    """Answers every connection with one function, and counts."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.connections = self.open = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            await self._serve(reader, writer)
            await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()
            self.open -= 1


@asynccontextmanager
async def served(serve: Serve, keepalive: float = 60.0) -> AsyncIterator[tuple[LeanCarrier, str, Server]]:
    server = Server(serve)
    listening = await asyncio.start_server(server.take, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    carrier = LeanCarrier(ssl.create_default_context(), SystemResolver(), keepalive)
    try:
        yield carrier, f"http://127.0.0.1:{port}/x", server
    finally:
        await carrier.close()
        listening.close()
        await until(lambda: server.open == 0)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.002)


async def request_of(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    return head + await reader.readexactly(length)


def always(answer: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                await request_of(reader)
            except asyncio.IncompleteReadError:
                return
            writer.write(answer)

    return serve


def post(url: str, body: bytes = b"{}", method: str = "POST") -> HttpRequest:
    return HttpRequest(method, url, (), body)


async def whole(exchange: LeanExchange) -> bytes:
    pieces = []
    while piece := await exchange.piece():
        pieces.append(piece)
    await exchange.close()
    return b"".join(pieces)


async def asked(carrier: LeanCarrier, url: str, **more: Any) -> bytes:
    return await whole(await carrier.send(post(url, **more), 1.0))


def test_a_connection_is_used_again_only_after_an_answer_that_leaves_it_clean():
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx: trailer\r\n\r\n"
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    used_again = {
        OK: b"ok",
        chunked: b"ok",
        early + OK: b"ok",
        b"HTTP/1.1 204 No Content\r\n\r\n": b"",
        OK + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil": None,
        OK + b"left over": None,
        OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"): None,
        OK.replace(b"1.1", b"1.0"): None,
    }

    async def work() -> None:
        for answer, body in used_again.items():
            async with served(always(answer)) as (carrier, url, server):
                for _ in range(3):
                    assert await asked(carrier, url) == (b"ok" if body is None else body), answer
                assert server.connections == (3 if body is None else 1), answer

    run(work())


def test_bytes_that_come_while_nobody_asks_end_the_connection():
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(OK)
        await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")

    async def work() -> None:
        async with served(serve) as (carrier, url, server):
            assert await asked(carrier, url) == b"ok"
            await until(lambda: server.open == 0)
            assert await asked(carrier, url) == b"ok"

    run(work())


def test_an_answer_to_head_has_no_body():
    async def work() -> None:
        async with served(always(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n")) as (carrier, url, _):
            assert await asked(carrier, url, method="HEAD") == b""

    run(work())


def test_a_body_ends_with_the_connection_where_nothing_else_says_so():
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hard = b"hard" in await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        await writer.drain()
        await asyncio.sleep(0.02)
        if hard:
            # With nothing to linger for, closing sends RST.
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
            )
        writer.transport.abort()

    async def work() -> None:
        async with served(serve) as (carrier, url, _):
            assert await asked(carrier, url) == b"all of it"
            with pytest.raises(StreamTruncated):
                await asked(carrier, url, body=b"hard")

    run(work())


def test_nothing_is_sent_twice():
    """What a reset on a kept connection means is for the caller to say: the provider may have begun."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request_of(reader))
        writer.write(OK)
        seen.append(await request_of(reader))
        writer.transport.abort()

    async def work() -> None:
        async with served(serve) as (carrier, url, _):
            await asked(carrier, url, body=b"first")
            with pytest.raises(Disconnected) as raised:
                await asked(carrier, url, body=b"second")
            assert type(raised.value) is Disconnected

    run(work())
    assert [each[-6:] for each in seen] == [b"\nfirst", b"second"]


def test_an_answer_may_come_before_all_is_sent():
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()
        writer.write(OK.replace(b"200 OK", b"413 Too Large"))
        await asyncio.sleep(0.1)
        writer.transport.resume_reading()

    async def work() -> None:
        async with served(serve) as (carrier, url, server):
            for _ in range(2):
                exchange = await carrier.send(post(url, b"x" * (32 << 20)), 1.0)
                assert exchange.head.status == 413
                assert await whole(exchange) == b"ok"
            assert server.connections == 2, "a request went out in the middle of another"

    run(work())


def test_leaving_closes_the_connection():
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"begin" in await request_of(reader):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbe")

    async def work() -> None:
        async with served(hang) as (carrier, url, server):
            asking = asyncio.create_task(asked(carrier, url))
            await until(lambda: server.open == 1)
            asking.cancel()
            await until(lambda: server.open == 0)
            exchange = await carrier.send(post(url, b"begin"), 1.0)
            assert await exchange.piece() == b"be"
            reading = asyncio.create_task(exchange.piece())
            await asyncio.sleep(0)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            assert server.open == 1
            await exchange.close()
            await until(lambda: server.open == 0)

    run(work())


def test_nobody_waits_for_a_connection_and_closing_ends_all():
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)

    async def work() -> None:
        async with served(silent) as (carrier, url, server):
            asking = [asyncio.create_task(asked(carrier, url)) for _ in range(100)]
            await until(lambda: server.open == 100)
            await carrier.close()
            ends = await asyncio.gather(*asking, return_exceptions=True)
            assert {type(end) for end in ends} == {Disconnected}
            with pytest.raises(Unreachable):
                await asked(carrier, url)

    run(work())


def test_idle_connections_are_closed_when_their_time_is_over():
    async def work() -> None:
        async with served(always(OK), keepalive=0.1) as (carrier, url, server):
            await asyncio.gather(*[asked(carrier, url) for _ in range(5)])
            assert server.open == server.connections == 5
            await until(lambda: server.open == 0)
            await asked(carrier, url)
            assert server.connections == 6

    run(work())


def test_a_reader_who_stalls_leaves_the_rest_with_the_provider():
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (64 << 20))
        for _ in range(1024):
            writer.write(b"x" * (64 << 10))
            await writer.drain()
            sent += 64 << 10

    async def work() -> None:
        nonlocal sent
        async with served(flood) as (carrier, url, _):
            exchange = await carrier.send(post(url), 1.0)
            before = -1
            while before != sent:
                before = sent
                await asyncio.sleep(0.1)
            assert sent < 16 << 20, "more than the kernel's buffers was taken"
            assert len(await whole(exchange)) == 64 << 20

    run(work())


def test_a_name_is_asked_for_once_by_all_who_want_it():
    class Slow:
        def __init__(self) -> None:
            self.asked = 0

        async def resolve(self, host: str, port: int) -> list[Address]:
            self.asked += 1
            await asyncio.sleep(0.01)
            if host == "bad.test":
                raise OSError("no such name")
            return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))]

    async def work() -> None:
        now, inner = [0.0], Slow()
        resolver = RememberingResolver(inner, lambda: now[0])
        leaving = asyncio.create_task(resolver.resolve("a.test", 80))
        await asyncio.sleep(0)
        others = [asyncio.create_task(resolver.resolve("a.test", 80)) for _ in range(20)]
        await asyncio.sleep(0)
        leaving.cancel()
        assert all(each[0][4][0] == "127.0.0.1" for each in await asyncio.gather(*others))
        assert inner.asked == 1
        now[0] = 11.0
        await resolver.resolve("a.test", 80)
        assert inner.asked == 2
        for _ in range(2):
            with pytest.raises(OSError, match="no such name"):
                await resolver.resolve("bad.test", 80)
        assert inner.asked == 4

    run(work())


class Upload:
    """A file of so many pieces; counts those that were asked for."""

    def __init__(self, pieces: int, size: int = 64 << 10) -> None:
        self.size = pieces * size
        self.asked = 0
        self._pieces, self._each = pieces, b"x" * size

    async def pieces(self) -> AsyncIterator[bytes]:
        for _ in range(self._pieces):
            self.asked += 1
            yield self._each


def test_a_body_goes_out_no_faster_than_it_is_read_and_whole():
    async def work() -> None:
        gate, upload = asyncio.Event(), Upload(200)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"content-length: %d\r\n" % (upload.size + 2) in head
            await gate.wait()
            assert await reader.readexactly(upload.size + 2) == b"<" + b"x" * upload.size + b">"
            writer.write(OK)

        async with served(serve) as (carrier, url, _):
            request = HttpRequest("POST", url, (), (b"<", upload, b">"))
            sending = asyncio.create_task(carrier.send(request, 1.0))
            await until(lambda: upload.asked > 2)
            asked = -1
            while asked != upload.asked:
                asked = upload.asked
                await asyncio.sleep(0.05)
            assert asked < 150, "what nobody reads stays where it is"
            gate.set()
            assert await whole(await sending) == b"ok"

    run(work())


def test_an_answer_before_the_end_of_the_body_ends_it_and_the_connection():
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")

    async def work() -> None:
        upload = Upload(10_000)
        async with served(serve) as (carrier, url, server):
            for connections in (1, 2):
                exchange = await carrier.send(HttpRequest("POST", url, (), (upload,)), 1.0)
                assert exchange.head.status == 413
                assert await whole(exchange) == b"no"
                assert server.connections == connections
            assert upload.asked < 1_000

    run(work())


def test_a_server_that_leaves_in_the_middle_of_the_body_is_told_apart():
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async def work() -> None:
        async with served(serve) as (carrier, url, _):
            with pytest.raises(Disconnected):
                await carrier.send(HttpRequest("POST", url, (), (Upload(10_000),)), 1.0)

    run(work())
