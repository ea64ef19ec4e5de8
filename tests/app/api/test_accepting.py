"""New connections under load: how soon they are all taken, and what happens when nothing is left to take them with."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import uvloop

from app.api.accepting import AT_ONCE, Acceptor

WAITING = 300


class Welcomes(asyncio.Protocol):
    """Counts the connections that it is given, by the turn of the loop."""

    def __init__(self) -> None:
        self.turns = 0
        self.in_turn: list[int] = []
        self.all_there = asyncio.Event()
        asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self.turns += 1
        if not self.all_there.is_set():
            asyncio.get_running_loop().call_soon(self._turn)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.in_turn.append(self.turns)
        transport.close()
        if len(self.in_turn) == WAITING:
            self.all_there.set()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=2 * WAITING) as opened:
        yield opened


def clients(stack: ExitStack, listener: socket.socket, count: int) -> None:
    for _ in range(count):
        stack.enter_context(socket.create_connection(listener.getsockname()))


def test_connections_that_wait_are_taken_in_a_few_turns(listener: socket.socket) -> None:
    async def take() -> Welcomes:
        served = Welcomes()
        acceptor = Acceptor(listener, lambda: served)
        async with asyncio.timeout(10):
            await served.all_there.wait()
        acceptor.close()
        return served

    with ExitStack() as stack:
        clients(stack, listener, WAITING)
        served = uvloop.run(take())
    assert len(set(served.in_turn)) <= 6 + WAITING // AT_ONCE + 1
    assert max(map(served.in_turn.count, served.in_turn)) <= AT_ONCE


class Exhausted(socket.socket):
    """A listener in a process that has no file descriptor left, until it is mended."""

    asked = 0
    is_mended = False

    def accept(self) -> tuple[socket.socket, object]:
        self.asked += 1
        if not self.is_mended:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def test_without_a_descriptor_it_neither_spins_nor_stops(listener: socket.socket) -> None:
    exhausted = Exhausted(fileno=listener.detach())

    async def take() -> int:
        served = Welcomes()
        acceptor = Acceptor(exhausted, lambda: served)
        async with asyncio.timeout(10):
            while not exhausted.asked:
                await asyncio.sleep(0)
            before = served.turns
            while served.turns < before + 1_000:
                await asyncio.sleep(0)
            asked = exhausted.asked
            exhausted.is_mended = True
            while not served.in_turn:
                await asyncio.sleep(0.01)
        acceptor.close()
        served.all_there.set()
        return asked

    with exhausted, ExitStack() as stack:
        clients(stack, exhausted, 1)
        assert uvloop.run(take()) <= 2


def test_nobody_is_taken_after_the_close(listener: socket.socket) -> None:
    async def take() -> list[int]:
        served = Welcomes()
        Acceptor(listener, lambda: served).close()
        before = served.turns
        while served.turns < before + 20:
            await asyncio.sleep(0)
        served.all_there.set()
        return served.in_turn

    with ExitStack() as stack:
        clients(stack, listener, 3)
        assert uvloop.run(take()) == []
