"""Limits of this process alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.config.state import OnStateLoss
from app.limits.ask import Amounts, Limit, Refusal, Standing, Tightest
from app.limits.limiter import Answer, Glimpse
from app.limits.memory import Hold, MemoryLimits
from app.limits.queue import Priority, WaitingRoom


class LocalLimiter:
    """Implements `app.limits.limiter.Limiter` over the memory of this process."""

    def __init__(self, meters: MemoryLimits, now: Callable[[], float]) -> None:
        """`now` gives monotonic seconds. Call it where an event loop runs."""
        self._meters = meters
        self._now = now
        self._room: WaitingRoom[Hold] = WaitingRoom(asyncio.get_running_loop(), self._give_back)

    @property
    def held(self) -> int:
        """What calls under way have taken and not settled."""
        return self._meters.held

    def configure(self, on_loss: OnStateLoss) -> None:
        """Nothing is shared that could be lost."""

    def is_full(self, limits: Sequence[Limit], asked: Amounts) -> bool:
        """Say whether an ask would be refused now; nothing is taken."""
        return self._meters.is_full(limits, asked, self._now())

    def glimpse(self, limits: Sequence[Limit], asked: Amounts, shown: Sequence[Limit]) -> Glimpse | None:
        """Give the refusal that an ask would get now, and how far others are used; nothing is taken."""
        now = self._now()
        refusal = self._meters.refusal(limits, asked, now)
        return None if refusal is None else Glimpse(refusal, self._meters.tightest(shown, now))

    async def take(self, limits: Sequence[Limit], asked: Amounts) -> Answer:
        """Take from all limits, or from none. Never suspends."""
        return self._answer(self._meters.take(limits, asked, self._now()), limits)

    async def wait(
        self, limits: Sequence[Limit], asked: Amounts, *, priority: Priority, max_wait: float
    ) -> Answer:
        """Take as soon as there is room, or give the refusal after `max_wait` seconds. Suspends only to wait."""
        taken = await self._room.wait(
            limits,
            lambda: self._meters.take(limits, asked, self._now()),
            priority=priority,
            max_wait=max_wait,
        )
        return self._answer(taken, limits)

    def settle(self, hold: Hold, real: Amounts | None, *, refund_requests: bool) -> None:
        """Settle, and let in who waits."""
        hold.settle(real, self._now(), refund_requests=refund_requests)
        if self._room.is_waited_in:
            self._room.wake()

    def _answer(self, taken: Hold | Refusal, limits: Sequence[Limit]) -> Answer:
        held = _Held(taken, self) if isinstance(taken, Hold) else taken
        return _Answer(held, limits, self._meters, self._now)

    def _give_back(self, hold: Hold) -> None:
        hold.settle(None, self._now(), refund_requests=True)


@dataclass(slots=True)
class _Answer:
    taken: _Held | Refusal
    limits: Sequence[Limit]
    meters: MemoryLimits
    now: Callable[[], float]
    degraded: ClassVar[bool] = False

    def standings(self) -> Sequence[Standing]:
        return self.meters.standings(self.limits, self.now())

    def tightest(self) -> Tightest:
        return self.meters.tightest(self.limits, self.now())


@dataclass(slots=True)
class _Held:
    hold: Hold
    limiter: LocalLimiter

    def settle(self, real: Amounts | None, *, refund_requests: bool = False) -> None:
        self.limiter.settle(self.hold, real, refund_requests=refund_requests)
