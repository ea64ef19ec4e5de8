"""An attempt, and another beside it once the first is late: whose content comes first answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.errors import GatewayError
from app.gateway.answering import Answering
from app.gateway.attempt import Batches
from app.gateway.hedge import Hedge
from app.gateway.pursuit import Beside
from app.gateway.record import CallLog
from app.gateway.trial import CANCELLED, HEDGE_LOST, Trial
from providers.errors import UpstreamError
from providers.types import Chunk

HELD = 64 << 10
"""Bytes of a stream that are held back at most for want of content in them."""


@dataclass(slots=True, eq=False, repr=False)
class Race:
    """One or two attempts. Implements `app.gateway.trial.Contest`."""

    hedge: Hedge
    log: CallLog
    attempt: Callable[[Trial], Coroutine[Any, Any, Trial]]
    stream: bool
    _winner: Trial | None = None
    _tasks: dict[Trial, asyncio.Task[Trial]] = field(default_factory=dict)

    async def run(self, first: Trial, beside: Beside) -> Trial:
        """Try to the end of the answer, and give what has answered. Raises the first one's `UpstreamError` where none has."""
        first.contest = self
        wait = self.hedge.wait(first.target.name, stream=self.stream)
        if wait is None:
            # Nothing can come of it but a time to learn from.
            return await self.attempt(first)
        try:
            await self._compete(first, wait, beside)
        finally:
            await self._end_all()
        return self._result(first)

    async def begin(self, trial: Trial, batches: Batches) -> Sequence[Chunk]:
        """Hold a stream back until there is content in it: text, reasoning or a tool's arguments. Then it has won."""
        held: list[Chunk] = []
        size = 0
        async for chunks in batches:
            trial.tally.add(chunks)
            held += chunks
            size += sum(len(chunk.data) for chunk in chunks)
            if trial.tally.text_bytes or size > HELD:
                break
        self.win(trial)
        return held

    def win(self, trial: Trial) -> None:
        """End the others at once. Raises `CancelledError` where another has won."""
        if self._winner is not None:
            raise asyncio.CancelledError
        self._winner = self.log.current = trial
        now = self.log.clock.monotonic()
        self._learn(trial, now)
        first = next(iter(self._tasks), trial)
        if trial is not first:
            self.hedge.count("won")
            if not self._tasks[first].done():
                # At least as long as this: were only winners learnt from, what is late would seem ever earlier.
                self._learn(first, now)
        for rival, task in self._tasks.items():
            if rival is not trial:
                self.log.end_attempt(rival, HEDGE_LOST)
                task.cancel()

    async def _compete(self, first: Trial, wait: float, beside: Beside) -> None:
        self._start(first)
        await asyncio.wait(self._tasks.values(), timeout=wait)
        late = self._winner is None and not self._tasks[first].done()
        if late and self.hedge.take():
            await self._start_beside(beside)
        await asyncio.wait(self._tasks.values())

    async def _start_beside(self, beside: Beside) -> None:
        second: Trial | None = None
        try:
            second = await beside()
        finally:
            if second is None:
                self.hedge.give_back()
        if second is None:
            return
        if self._winner is not None:
            # It has come while the gates of the second were being asked.
            self.log.end_attempt(second, CANCELLED)
            self.log.current = self._winner
            self.hedge.give_back()
            return
        self.hedge.count("started")
        second.contest = self
        self._start(second)

    def _start(self, trial: Trial) -> None:
        self._tasks[trial] = asyncio.get_running_loop().create_task(self.attempt(trial), name="attempt")

    async def _end_all(self) -> None:
        running = [(trial, task) for trial, task in self._tasks.items() if not task.done()]
        for trial, task in running:
            # At once: whoever cancels us twice does not wait for the tasks.
            self.log.end_attempt(trial, CANCELLED)
            task.cancel()
        if running:
            await asyncio.wait([task for _, task in running])

    def _learn(self, trial: Trial, now: float) -> None:
        self.hedge.learn(trial.target.name, now - trial.started, stream=self.stream)

    def _result(self, first: Trial) -> Trial:
        """Give the winner. Raises a fault of ours, else how the winner has ended, else how the first one did."""
        failed = [None if task.cancelled() else task.exception() for task in self._tasks.values()]
        fault = next((each for each in failed if each and not isinstance(each, _FORESEEN)), None)
        if fault is not None:
            raise fault
        if self._winner is None:
            self.log.current = first
        return self._tasks[self._winner or first].result()


def racing(hedge: Hedge, answering: Answering) -> Callable[[Trial, Beside], Coroutine[Any, Any, Trial]]:
    """Give what tries the targets of one call of a hedged model."""
    hedge.earn()
    log, stream = answering.settlement.log, answering.ticket.call.stream
    return lambda trial, beside: Race(hedge, log, answering.attempt, stream).run(trial, beside)


_FORESEEN = (UpstreamError, GatewayError)
