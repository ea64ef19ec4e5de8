"""The order in which the server stops: who is told, who is let in, who may end, who is cut off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from app.api.asgi import Receive, Scope, Send, error_messages
from app.api.listening import CannotListen, Wanted, listen
from app.api.porter import NoPorter
from app.api.readiness import Readiness
from app.api.server import Server, Stop, http_server
from app.config.models import Server as ServerConfig
from app.errors import Unavailable

PATIENCE = 5.0
NOTICE = 0.3
ANY = Wanted("127.0.0.1", 0, "`server.port`")
GET = b"GET /%b HTTP/1.1\r\nhost: a\r\n\r\n"


@dataclass
class Bench:
    server: Server
    readiness: Readiness
    port: int
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    served: asyncio.Task[None] | None = None
    ended: list[str] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer at once, or `/held` and `/stream` when the gate opens; the latter has begun by then."""
        path = scope["path"]
        start = {"type": "http.response.start", "status": 200, "headers": []}
        try:
            if path == "/stream":
                await send(start)
                await send({"type": "http.response.body", "body": b"begun;", "more_body": True})
            if path in {"/held", "/stream"}:
                await self.gate.wait()
            if path != "/stream":
                await send(start)
            await send({"type": "http.response.body", "body": path.encode()})
            self.ended.append(path)
        except asyncio.CancelledError:
            self.ended.append(f"{path} was cut")
            if path == "/stream":
                await send({"type": "http.response.body", "body": b"sorry"})
                return
            for message in error_messages(Unavailable("Stopping.", code="server_shutting_down"), "id"):
                await send(message)

    async def connect(self) -> Connection:
        self.connections.append(Connection(*await asyncio.open_connection("127.0.0.1", self.port)))
        return self.connections[-1]

    async def over(self) -> None:
        assert self.served is not None
        await asyncio.wait_for(asyncio.shield(self.served), PATIENCE)


@dataclass
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, path: bytes) -> None:
        self.writer.write(GET % path)
        await self.writer.drain()

    async def head(self) -> tuple[int, bool]:
        """Give the status, and whether the answer says `connection: close`."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)
        return int(head.split()[1]), b"\r\nconnection: close\r\n" in head

    async def body(self) -> bytes:
        """Read a chunked body."""
        found = b""
        while size := int(await asyncio.wait_for(self.reader.readline(), PATIENCE), 16):
            found += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readline()
        return found

    async def answer(self) -> tuple[int, bool, bytes]:
        return (*await self.head(), await self.body())

    async def is_closed(self) -> bool:
        return await asyncio.wait_for(self.reader.read(1), PATIENCE) == b""


@pytest.fixture
async def start() -> AsyncIterator[Callable[[], Awaitable[Bench]]]:
    running: list[Bench] = []

    async def begin() -> Bench:
        (listener,) = listen([ANY])
        readiness, started = Readiness(), asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await bench.app(scope, receive, send)

        server = http_server(app, ServerConfig(), lambda: "id", lambda *_: None, readiness, NoPorter())
        bench = Bench(server, readiness, listener.getsockname()[1])
        bench.served = asyncio.create_task(server.serve_on([listener], started.set))
        running.append(bench)
        await asyncio.wait_for(started.wait(), PATIENCE)
        return bench

    yield begin
    for bench in running:
        bench.server.stop(Stop(0, 0, 0))
        bench.server.stop(Stop(0, 0, 0))
        await bench.over()
        assert not bench.server.server_state.connections
        for connection in bench.connections:
            connection.writer.close()
            await connection.writer.wait_closed()


@asynccontextmanager
async def quickly(seconds: float) -> AsyncIterator[None]:
    began = asyncio.get_running_loop().time()
    yield
    assert asyncio.get_running_loop().time() - began < seconds


async def notice(bench: Bench) -> None:
    """Wait until the notice has begun: uvicorn looks ten times a second whether to stop."""
    while not bench.server._farewell.begun:
        await asyncio.sleep(0.005)


async def test_case_115_it_gives_notice_then_accepts_nobody_then_ends(start) -> None:
    bench = await start()
    idle, known = await bench.connect(), await bench.connect()
    await known.ask(b"a")
    assert await known.answer() == (200, False, b"/a")
    bench.server.stop(Stop(NOTICE, NOTICE, PATIENCE))
    assert not bench.readiness.is_ready()
    await notice(bench)
    await known.ask(b"b")
    assert await known.answer() == (200, True, b"/b")
    assert await known.is_closed()
    new = await bench.connect()
    await new.ask(b"c")
    assert await new.answer() == (200, True, b"/c")
    assert await idle.is_closed()
    await bench.over()
    with pytest.raises(ConnectionRefusedError):
        await bench.connect()


async def test_running_answers_end_and_say_close_where_they_can(start) -> None:
    bench = await start()
    held, stream = await bench.connect(), await bench.connect()
    await held.ask(b"held")
    await stream.ask(b"stream")
    assert await stream.head() == (200, False)
    bench.server.stop(Stop(0, NOTICE, PATIENCE))
    await notice(bench)
    bench.gate.set()
    assert await held.answer() == (200, True, b"/held")
    assert await held.is_closed()
    # Nobody could tell this one: it may ask once more.
    assert await stream.body() == b"begun;/stream"
    await stream.ask(b"again")
    assert await stream.answer() == (200, True, b"/again")
    assert await stream.is_closed()
    await bench.over()


async def test_what_is_still_running_at_the_end_is_told_why(start) -> None:
    bench = await start()
    held, stream, silent = await bench.connect(), await bench.connect(), await bench.connect()
    await held.ask(b"held")
    await stream.ask(b"stream")
    await stream.head()
    bench.server.stop(Stop(0, 0, 0.2))
    assert await silent.is_closed()
    assert (await held.head())[0] == 503
    assert b"server_shutting_down" in await held.reader.read()
    assert await stream.body() == b"begun;sorry"
    assert await stream.is_closed()
    await bench.over()
    assert sorted(bench.ended) == ["/held was cut", "/stream was cut"]


async def test_asked_twice_it_waits_for_nobody(start) -> None:
    bench = await start()
    held = await bench.connect()
    await held.ask(b"held")
    bench.server.stop(Stop(60, 60, 60))
    await notice(bench)
    async with quickly(2):
        bench.server.stop(Stop(60, 60, 60))
        assert (await held.head())[0] == 503
        await bench.over()


async def test_with_a_successor_it_accepts_nobody_and_its_instance_stays_ready(start) -> None:
    bench = await start()
    held = await bench.connect()
    await held.ask(b"held")
    bench.server.stop(Stop(0, NOTICE, PATIENCE, successor=True))
    await notice(bench)
    assert bench.readiness.is_ready()
    bench.gate.set()
    assert await held.answer() == (200, True, b"/held")
    await bench.over()


def test_sockets_are_taken_over_only_where_they_listen_as_asked() -> None:
    first, second = listen([ANY, ANY])
    one, other = (each.getsockname()[1] for each in (first, second))
    with first, second:
        assert listen([ANY._replace(port=one), ANY._replace(port=other)], [first, second]) == [first, second]
        assert listen([ANY._replace(port=other), ANY._replace(port=one)], [first, second]) == [second, first]
        assert listen([ANY, ANY], [first, second]) == [first, second]
        with pytest.raises(CannotListen, match="in use; choose another with `server.port`"):
            listen([ANY._replace(port=one)])
        # The admin API has lost its port, then has it anew.
        assert listen([ANY], [first, second]) == [first]
        assert second.fileno() == -1
        _, again = listen([ANY._replace(port=one), ANY._replace(port=other)], [first])
        with again:
            assert again.getsockname()[1] == other
            (moved,) = listen([ANY._replace(port=0)], [])
            with moved:
                assert moved.getsockname()[1] not in {one, other}
