"""The way to Redis: questions from all calls, a few connections, and an end to waiting.

Whoever asks gives a question and awaits its answer; lanes send what has gathered, many questions at a
time, and read as many answers. So a caller that leaves never breaks off what is on a connection, and
an answer can only go to the question that it belongs to. A connection on which anything went wrong is
dropped, and with it the whole link: a link is opened once, and never used again once it has broken.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from app.state.script import Script

PATIENCE = 0.05
"""Seconds that an answer may take. Redis takes a tenth of a millisecond."""
GRACE = 0.01
"""The last part of them, in which answers are looked for once more: it may be this process that was held up."""
PATIENCE_TO_OPEN = 1.0
"""Seconds that connecting may take; no call waits for it."""
LANES = 3
BATCH = 64
"""Questions sent at once: what a server answers in a few milliseconds."""

Reply = Any
"""What a script gives: a list of whole numbers and bytes."""
Unheard = Callable[[Reply], None]


class StateLost(Exception):
    """The shared state cannot be asked now; the text says why, without addresses or secrets."""


class Connection(Protocol):
    """What a lane needs of a connection of redis-py."""

    async def connect(self) -> None:
        """Connect, log in, and choose the database."""
        ...

    async def disconnect(self, nowait: bool = ...) -> None:  # noqa: FBT001 - redis-py's
        """Close it."""
        ...

    def pack_commands(self, commands: Sequence[Sequence[object]]) -> list[bytes]:
        """Give the bytes of commands."""
        ...

    async def send_packed_command(self, command: list[bytes], check_health: bool = ...) -> None:  # noqa: FBT001 - redis-py's
        """Send them."""
        ...

    async def read_response(self) -> Reply:
        """Read an answer. Raises what redis-py raises."""
        ...


@dataclass(slots=True)
class _Question:
    command: tuple[object, ...]
    answer: asyncio.Future[Reply]
    unheard: Unheard | None
    """Told an answer that nobody waits for any more."""

    def give(self, reply: Reply) -> None:
        if not self.answer.done():
            self.answer.set_result(reply)
        elif self.unheard is not None:
            self.unheard(reply)

    def fail(self, reason: str) -> None:
        if not self.answer.done():
            self.answer.set_exception(StateLost(reason))


class Link:
    """One opening of the way to Redis."""

    def __init__(self, connect: Callable[[], Connection], *, patience: float = PATIENCE) -> None:
        self._connect = connect
        self._patience = patience
        self._waiting: deque[_Question] = deque()
        self._asked = asyncio.Event()
        self._lanes: list[asyncio.Task[None]] = []
        self.broken = ""
        """Why it can no longer be used; empty while it can."""
        self.on_break: Callable[[str], None] = lambda _: None

    async def open(self, scripts: Sequence[Script], lanes: int = LANES) -> None:
        """Connect, and teach the server the scripts. Raises `StateLost`."""
        load = [("SCRIPT", "LOAD", script.text) for script in scripts]
        connections: list[Connection] = []
        try:
            async with asyncio.timeout(PATIENCE_TO_OPEN):
                for _ in range(lanes):
                    connections.append(self._connect())
                    await connections[-1].connect()
                await _exchange(connections[0], load)
        except BaseException as error:
            for connection in connections:
                await _drop(connection)
            if isinstance(error, Exception):
                raise StateLost(_reason(error)) from None
            raise
        loop = asyncio.get_running_loop()
        self._lanes = [loop.create_task(self._run(each), name="redis") for each in connections]

    async def ask(
        self, script: Script, keys: Sequence[str], args: Sequence[object], unheard: Unheard | None = None
    ) -> Reply:
        """Run a script and give its answer. Raises `StateLost`.

        Where the caller leaves before the answer comes, `unheard` gets it.
        """
        if self.broken:
            raise StateLost(self.broken)
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        command = ("EVALSHA", script.sha, len(keys), *keys, *args)
        question = _Question(command, answer, unheard)
        self._waiting.append(question)
        self._asked.set()
        try:
            return await answer
        except asyncio.CancelledError:
            # The answer may have come in the moment in which its caller left.
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                question.give(answer.result())
            raise

    def break_off(self, reason: str) -> None:
        """Use it no more: who waits is told so at once."""
        if self.broken:
            return
        self.broken = reason
        while self._waiting:
            self._waiting.popleft().fail(reason)
        for lane in self._lanes:
            # The lane that noticed it ends by itself.
            if lane is not asyncio.current_task():
                lane.cancel()
        self.on_break(reason)

    async def close(self) -> None:
        """Break off, and wait until all connections are closed."""
        self.break_off("closed")
        for lane in self._lanes:
            lane.cancel()
        if self._lanes:
            await asyncio.wait(self._lanes)

    async def _run(self, connection: Connection) -> None:
        batch: list[_Question] = []
        try:
            while True:
                await self._asked.wait()
                batch = self._next()
                if batch:
                    async with self._in_time():
                        replies = await _exchange(connection, [each.command for each in batch])
                    for question, reply in zip(batch, replies, strict=True):
                        question.give(reply)
        except asyncio.CancelledError:
            self.break_off("closed")
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the answers to come are no longer ours
            self.break_off(_reason(error))
        finally:
            for question in batch:
                question.fail(self.broken)
            await _drop(connection)

    def _next(self) -> list[_Question]:
        batch: list[_Question] = []
        while self._waiting and len(batch) < BATCH:
            question = self._waiting.popleft()
            if not question.answer.done():
                batch.append(question)
        if not self._waiting:
            self._asked.clear()
        return batch

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        """Raise `TimeoutError` once the time is up, and what had come by then has been read."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as limit:
            bell = loop.call_later(self._patience - GRACE, lambda: limit.reschedule(loop.time() + GRACE))
            try:
                yield
            finally:
                bell.cancel()


async def _exchange(connection: Connection, commands: Sequence[Sequence[object]]) -> list[Reply]:
    """Send commands and read their answers. Raises the first error among them: then none of them counts."""
    await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
    return [await connection.read_response() for _ in commands]


async def _drop(connection: Connection) -> None:
    with suppress(Exception):
        await connection.disconnect(nowait=True)


def _reason(error: Exception) -> str:
    """Say what kind of error it was: its own words may name an address."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    word = str(error).partition(" ")[0].rstrip(":")
    # Redis begins an error with its kind in capitals: READONLY, LOADING, OOM, NOAUTH, …
    return word if word.isupper() and word.isalpha() else type(error).__name__
