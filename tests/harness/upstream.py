"""A scriptable provider on loopback: raw HTTP/1.1 in its own thread, with exact control of every byte and fault.

The model that a request asks for names a *slot*. Each test takes slots of its own, so that one
gateway and one upstream serve many tests that know nothing of each other.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeAlias
from urllib.parse import unquote

from tests.harness.wire import Connection, PeerLeft

PATIENCE = 10.0
"""Seconds that a wait for the gateway may take before the test fails."""
_IN_PATH = re.compile(r"/(?:models?|deployments|files)/([^/:?]+)")


@dataclass(eq=False)
class Received:
    """One request as it arrived, and what became of its answer. Times are `time.monotonic()`."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    connection: int
    at: float
    body: bytes = b""
    bytes_sent: int = 0
    finished_at: float | None = None
    aborted_at: float | None = None
    """When the gateway closed or reset the connection before the answer was complete."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def model(self) -> str:
        """The slot: the model or file that the path names, or JSON, or a form; where there is no body, the video that is asked about."""
        if named := _IN_PATH.search(self.path):
            return unquote(named[1])
        if not self.body:
            return self.path.partition("/videos/")[2].partition("/")[0].partition("?")[0]
        if b"multipart/form-data" in (self.header("content-type") or "").encode():
            return self.field("model")
        model: str = self.json["model"]
        return model

    def field(self, name: str) -> str:
        """Give a field of a form."""
        found = re.search(rb'name="%b"\r\n\r\n(.*?)\r\n--' % re.escape(name.encode()), self.body, re.DOTALL)
        assert found, f"the form has no `{name}`"
        return found[1].decode()

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name.lower()]
        assert len(values) < 2, f"{name} was sent twice: {values}"
        return values[0] if values else None


class Gate:
    """A door in a script: the answer goes on when the test opens it."""

    def __init__(self) -> None:
        self._opened: Future[None] = Future()

    def open(self) -> None:
        if not self._opened.done():
            self._opened.set_result(None)

    async def wait(self) -> None:
        await asyncio.shield(asyncio.wrap_future(self._opened))


@dataclass
class Exchange:
    """What a step acts on: the request, and the connection that its answer goes to."""

    received: Received
    connection: Connection

    async def write(self, data: bytes) -> None:
        await self.connection.write(data)
        self.received.bytes_sent += len(data)

    async def until(self, waiting: Any) -> None:
        """Wait for it, or raise `PeerLeft` if the gateway leaves first."""
        await self.connection.until(waiting)


Step: TypeAlias = Callable[[Exchange], Any]
Action: TypeAlias = Sequence[Step]


class Slot:
    """One model of the upstream: its script, and the requests that it has seen."""

    def __init__(self, name: str, news: threading.Condition) -> None:
        self.name = name
        self.requests: list[Received] = []
        self._news = news
        self._choose: Callable[[Received], Action] | None = None

    def script(self, *actions: Action) -> None:
        """Answer the next requests with these, in order; the last one goes on for ever."""
        left = itertools.chain(actions, itertools.repeat(actions[-1]))
        self._choose = lambda _: next(left)

    def respond(self, choose: Callable[[Received], Action]) -> None:
        """Answer each request with what the function gives for it."""
        self._choose = choose

    def action(self, received: Received) -> Action:
        assert self._choose is not None, f"slot {self.name} has no script"
        return self._choose(received)

    @property
    def last(self) -> Received:
        return self.requests[-1]

    def wait_request(self, count: int = 1, within: float = PATIENCE) -> Received:
        """Give the request number `count` as soon as it is there."""
        self._wait(lambda: len(self.requests) >= count, within, f"request {count} at slot {self.name}")
        return self.requests[count - 1]

    def wait_abort(self, received: Received | None = None, within: float = PATIENCE) -> float:
        """Give the time at which the gateway gave up this answer (by default the last one)."""
        watched = received or self.last
        self._wait(lambda: watched.aborted_at is not None, within, f"abort at slot {self.name}")
        assert watched.aborted_at is not None
        return watched.aborted_at

    def _wait(self, ready: Callable[[], bool], within: float, what: str) -> None:
        with self._news:
            assert self._news.wait_for(ready, within), f"{what} did not come within {within} s"


@dataclass
class _Counters:
    connections: int = 0
    open: int = 0
    ids: itertools.count[int] = field(default_factory=itertools.count)


class Upstream:
    """The server. A context manager; everything that a test may touch is safe from its thread."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.news = threading.Condition()
        self._tls = tls
        self.counters = _Counters()
        self.errors: list[BaseException] = []
        """What went wrong inside the upstream itself: a bug of a test."""
        self._slots: dict[str, Slot] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="upstream", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._on_loop(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._on_loop(self._shut_down())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        assert not self.errors, self.errors

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections have been made so far."""
        return self.counters.connections

    @property
    def open_connections(self) -> int:
        return self.counters.open

    def slot(self, name: str) -> Slot:
        with self.news:
            return self._slots.setdefault(name, Slot(name, self.news))

    def _on_loop(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _listen(self) -> int:
        self._server = await self._loop.create_server(
            lambda: Connection(self._connected, self._left), "127.0.0.1", 0, backlog=1024, ssl=self._tls
        )
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _shut_down(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(self, connection: Connection) -> None:
        with self.news:
            connection.id = next(self.counters.ids)
            self.counters.connections += 1
            self.counters.open += 1
        task = self._loop.create_task(self._serve(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _left(self, _: Connection) -> None:
        with self.news:
            self.counters.open -= 1
            self.news.notify_all()

    async def _serve(self, connection: Connection) -> None:
        try:
            while True:
                await self._exchange(connection)
        except (PeerLeft, asyncio.CancelledError):
            pass
        except Exception as error:  # noqa: BLE001 - shown when the upstream closes
            self.errors.append(error)
        finally:
            connection.abort()

    async def _exchange(self, connection: Connection) -> None:
        method, target, headers = await connection.read_head()
        at = time.monotonic()
        received = Received(method, target, headers, connection.id, at)
        received.body = await connection.read_body(headers)
        slot = self.slot(received.model)
        action = slot.action(received)
        with self.news:
            slot.requests.append(received)
            self.news.notify_all()
        await self._answer(Exchange(received, connection), action)

    async def _answer(self, exchange: Exchange, action: Action) -> None:
        received = exchange.received
        try:
            for step in action:
                await step(exchange)
            received.finished_at = time.monotonic()
        except PeerLeft:
            received.aborted_at = exchange.connection.left_at or time.monotonic()
            raise
        finally:
            with self.news:
                self.news.notify_all()
