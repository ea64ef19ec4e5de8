"""Waiting for room that other processes may take or free: who asks of the same limits takes turns in asking again."""

from __future__ import annotations

import asyncio
from bisect import insort
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from app.limits.ask import Limit, Refusal
from app.limits.limiter import Answer
from app.limits.queue import Priority

LONGEST_NAP = 0.5
"""Seconds after which is asked again, for others may have given back what they had taken."""
SHORTEST_NAP = 0.005


@dataclass(order=True, slots=True)
class _Waiter:
    rank: int
    number: int
    turn: asyncio.Event = field(default_factory=asyncio.Event, compare=False)


class Turns:
    """Lets the first of a lane ask again and again, the others wait behind it."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lanes: dict[frozenset[str], list[_Waiter]] = {}
        self._number = 0
        self._freed = asyncio.Event()

    async def wait(
        self,
        limits: Sequence[Limit],
        ask: Callable[[], Awaitable[Answer]],
        priority: Priority,
        max_wait: float,
    ) -> Answer:
        """Give the first answer that takes, or the last one before the time is up. Raises what `ask` raises."""
        lane = self._lanes.setdefault(frozenset(limit.key for limit in limits), [])
        self._number += 1
        me = _Waiter(-priority, self._number)
        insort(lane, me)
        until = self._now() + max_wait
        try:
            return await self._stand(lane, me, ask, until)
        finally:
            lane.remove(me)
            if lane:
                lane[0].turn.set()
            else:
                self._lanes = {key: each for key, each in self._lanes.items() if each}

    def wake(self) -> None:
        """Say that something has become free."""
        if self._lanes:
            self._freed.set()

    async def _stand(
        self, lane: list[_Waiter], me: _Waiter, ask: Callable[[], Awaitable[Answer]], until: float
    ) -> Answer:
        while True:
            left = until - self._now()
            if lane[0] is not me and left > 0:
                me.turn.clear()
                await _sleep(me.turn, left)
                continue
            answer = await ask()
            left = until - self._now()
            if not isinstance(answer.taken, Refusal) or answer.taken.retry_after is None or left <= 0:
                return answer
            self._freed.clear()
            nap = min(max(answer.taken.retry_after, SHORTEST_NAP), LONGEST_NAP, left)
            await _sleep(self._freed, nap)


async def _sleep(until: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await until.wait()
