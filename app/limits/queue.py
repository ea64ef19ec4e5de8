"""Waiting for room, where the configuration allows it. The one file here that knows an event loop."""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from heapq import heapify, heappop, heappush
from typing import Generic, Protocol, TypeVar

from app.limits.ask import Limit, Refusal

Held = TypeVar("Held")

_SHORTEST_NAP = 0.001
"""Seconds. A timer may ring a little early; what is left then must not make it ring without end."""


class Priority(IntEnum):
    """Who goes first. Higher ones overtake; equals go in the order of their coming."""

    LOW = 0
    NORMAL = 1
    HIGH = 2


class Timer(Protocol):
    """What can be called off."""

    def cancel(self) -> None:
        """Do not ring."""
        ...


class Timers(Protocol):
    """The part of an event loop that this needs, so that tests own time."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Timer:
        """Ring once, `delay` seconds from now."""
        ...


@dataclass(order=True, slots=True)
class _Waiter(Generic[Held]):
    rank: int
    number: int
    keys: frozenset[str] = field(compare=False)
    try_take: Callable[[], Held | Refusal] = field(compare=False)
    answer: asyncio.Future[Held | Refusal] = field(compare=False)


class WaitingRoom(Generic[Held]):
    """Lets calls wait until limits have room.

    Nobody overtakes an equal at a limit that has refused that equal; who waits at other limits is not held up.
    """

    def __init__(self, timers: Timers, give_back: Callable[[Held], None]) -> None:
        """`give_back` returns what was taken for a caller who has just left."""
        self._timers = timers
        self._give_back = give_back
        self._lanes: dict[frozenset[str], list[_Waiter[Held]]] = {}
        """Who asks of the same limits stands in one lane, best placed first: the first one's refusal is all theirs."""
        self._number = 0
        self._alarm: Timer | None = None

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    @property
    def is_waited_in(self) -> bool:
        """Whether anybody waits."""
        return bool(self._lanes)

    async def wait(
        self,
        limits: Sequence[Limit],
        try_take: Callable[[], Held | Refusal],
        *,
        priority: Priority = Priority.NORMAL,
        max_wait: float,
    ) -> Held | Refusal:
        """Give what `try_take` gives as soon as it takes, its refusal after `max_wait` seconds.

        A refusal that no waiting mends comes at once. `limits` are those that `try_take` asks.
        """
        if max_wait <= 0:
            return try_take()
        waiter = self._enter(limits, try_take, priority)
        last_call = self._timers.call_later(max_wait, lambda: self._give_up(waiter))
        try:
            self.wake()
            return await waiter.answer
        except asyncio.CancelledError:
            self._leave(waiter)
            self._undo(waiter)
            self.wake()
            raise
        finally:
            last_call.cancel()

    def wake(self) -> None:
        """Offer what has become free. Call it when a hold has settled; it never awaits."""
        refused: set[str] = set()
        soonest = math.inf
        heads = [lane[0] for lane in self._lanes.values()]
        heapify(heads)
        while heads:
            waiter = heappop(heads)
            if not refused.isdisjoint(waiter.keys):
                continue
            refusal = _offer(waiter)
            if refusal is not None:
                refused.add(refusal.limit.key)
                soonest = min(soonest, refusal.retry_after or 0.0)
            elif lane := self._leave(waiter):
                heappush(heads, lane[0])
        self._set_alarm(soonest)

    def _enter(
        self, limits: Sequence[Limit], try_take: Callable[[], Held | Refusal], priority: Priority
    ) -> _Waiter[Held]:
        self._number += 1
        keys = frozenset(limit.key for limit in limits)
        answer: asyncio.Future[Held | Refusal] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(-priority, self._number, keys, try_take, answer)
        insort(self._lanes.setdefault(keys, []), waiter)
        return waiter

    def _leave(self, waiter: _Waiter[Held]) -> list[_Waiter[Held]]:
        """Take a waiter out of its lane, if it is still there. Gives those who stay."""
        lane = self._lanes.get(waiter.keys, [])
        place = bisect_left(lane, waiter)
        if place < len(lane) and lane[place] is waiter:
            del lane[place]
            if not lane:
                del self._lanes[waiter.keys]
        return lane

    def _give_up(self, waiter: _Waiter[Held]) -> None:
        """Try once more, whoever stands before: the answer is due, and a refusal would serve nobody."""
        _offer(waiter, last=True)
        self._leave(waiter)
        self.wake()

    def _undo(self, waiter: _Waiter[Held]) -> None:
        answer = waiter.answer
        if answer.done() and not answer.cancelled() and answer.exception() is None:
            held = answer.result()
            if not isinstance(held, Refusal):
                self._give_back(held)

    def _set_alarm(self, delay: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = (
            None if math.isinf(delay) else self._timers.call_later(max(delay, _SHORTEST_NAP), self.wake)
        )


def _offer(waiter: _Waiter[Held], *, last: bool = False) -> Refusal | None:
    """Let a waiter try. Gives the refusal that leaves it waiting; otherwise it has its answer."""
    if waiter.answer.done():
        return None
    try:
        result = waiter.try_take()
    except Exception as error:  # noqa: BLE001 - it is this waiter's, and no matter of whoever woke it
        waiter.answer.set_exception(error)
        return None
    if isinstance(result, Refusal) and result.retry_after is not None and not last:
        return result
    waiter.answer.set_result(result)
    return None
