"""Processes of a test's own that do what they are told: one at a time, or all at once."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

PATIENCE = 120.0
"""Seconds until an answer is given up."""
FOUR = 4


class Crew:
    """Processes, each with a servant of its own whose methods are coroutines."""

    def __init__(self, members: Sequence[tuple[Any, Connection]]) -> None:
        self._members = members

    def __len__(self) -> int:
        return len(self._members)

    def tell(self, number: int, method: str, *args: Any) -> Any:
        """Have one of them do something, and give what comes of it."""
        self._send(number, method, args)
        return self._answer(number)

    def all(self, method: str, *args: Any) -> list[Any]:
        """Have all of them do it at once. Each is told its number first, then the rest."""
        for number in range(len(self)):
            self._send(number, method, (number, *args))
        return [self._answer(number) for number in range(len(self))]

    def close(self) -> None:
        for process, pipe in self._members:
            pipe.close()
            process.join()

    def _send(self, number: int, method: str, args: Sequence[Any]) -> None:
        self._members[number][1].send((method, args))

    def _answer(self, number: int) -> Any:
        process, pipe = self._members[number]
        assert pipe.poll(PATIENCE), f"process {number} does not answer"
        try:
            answer = pipe.recv()
        except EOFError:
            process.join()
            raise AssertionError(f"process {number} ended with {process.exitcode}") from None
        if isinstance(answer, BaseException):
            raise answer
        return answer


@contextmanager
def start_crew(servant: Callable[[], Any], count: int = FOUR) -> Iterator[Crew]:
    """Start processes, each with what `servant`, a name of some module, makes."""
    # One process imports what all need; the others are copies of it, which cost next to nothing.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([servant.__module__])
    members = []
    for _ in range(count):
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(servant, theirs), daemon=True)
        process.start()
        theirs.close()
        members.append((process, ours))
    crew = Crew(members)
    try:
        yield crew
    finally:
        crew.close()


def _serve(servant: Callable[[], Any], pipe: Connection) -> None:
    with asyncio.Runner() as runner:
        mine = servant()
        while True:
            try:
                method, args = pipe.recv()
            except EOFError:
                return
            try:
                answer = runner.run(getattr(mine, method)(*args))
            except Exception as error:  # noqa: BLE001 - whoever asked is told
                answer = error
            pipe.send(answer)
