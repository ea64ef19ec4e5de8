"""A process that shares limits and budgets with others: told what to take and settle, or let loose."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from app.limits.ask import Amounts, Limit, Refusal, Standing
from app.limits.kinds import RULES
from app.limits.limiter import Held
from app.limits.shared import SharedLimiter
from app.state.membership import LEASE, server_time
from app.usage.budgets import Budget, BudgetRefusal, Crossing
from app.usage.budgets import Standing as BudgetStanding
from app.usage.shared_budgets import SharedBudgets
from tests.harness.shared import join, membership_of

AT_ONCE = 12
"""Calls that a process which is let loose has under way."""
LONG = 5e9

Use = dict[int, tuple[int, int]]
"""What one call took of each limit or budget, by its place in their list: reserved, and really used."""
Taken = tuple[float, float, Use]
"""When it was answered that it may, when it was about to settle, and its use. Seconds that all processes share."""


class Nobody:
    """Knows no budget by name. Implements `app.usage.budgeting.Known`."""

    strict_holders = False

    def named(self) -> Sequence[Budget]:
        return ()

    async def of_holders(self) -> Sequence[Budget]:
        return ()


class Sharer:
    """Its methods are what a `Crew` can be told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.held: dict[int, Any] = {}
        self.crossings: list[Crossing] = []

    async def join(self, _number: int, url: str) -> None:
        """Join anew; the time is what each command says, and nothing is done in between."""
        await self._join(
            url,
            clock=lambda: f"{round(self.now * 1_000_000)}",
            wall=lambda: self.now,
            monotonic=lambda: self.now,
            lease=LONG,
        )

    async def join_in_real_time(self, _number: int, url: str) -> None:
        """Join anew, by the server's clock."""
        await self._join(url, clock=server_time, wall=time.time, monotonic=time.monotonic, lease=LEASE)

    async def _join(
        self,
        url: str,
        clock: Callable[[], str],
        wall: Callable[[], float],
        monotonic: Callable[[], float],
        lease: float,
    ) -> None:
        self.held.clear()
        self.crossings.clear()
        self.membership = membership_of(url, clock=clock, lease=lease, monotonic=monotonic)
        self.limiter = SharedLimiter(self.membership, monotonic)
        self.budgets = SharedBudgets(self.membership, _nothing, self.crossings.append, wall, LOG)
        self.membership.participants += [self.limiter, self.budgets]
        await join(self.membership)
        await self.budgets.know(Nobody())

    async def leave(self, _number: int = 0) -> None:
        await self.membership.leave()

    # One thing at a time, at a time that is given.

    async def take(self, limits: Sequence[Limit], asked: Amounts, now: float) -> Refusal | int:
        """Take, and give the number of the hold."""
        self.now = now
        taken = (await self.limiter.take(limits, asked)).taken
        return taken if isinstance(taken, Refusal) else self._keep(taken)

    async def settle(self, number: int, real: Amounts | None, now: float, refund: bool) -> None:
        self.now = now
        self.held[number].settle(real, refund_requests=refund)
        await self._tend()

    async def standings(self, limits: Sequence[Limit], now: float) -> list[Standing]:
        self.now = now
        return await self.limiter.standings(limits)

    async def reserve(
        self, budgets: Sequence[Budget], amounts: Sequence[int], now: float
    ) -> BudgetRefusal | int:
        """Reserve, and give the number of the reservation."""
        self.now = now
        reserved = await self.budgets.reserve(budgets, amounts, now)
        if isinstance(reserved, BudgetRefusal):
            return reserved
        assert not reserved.degraded
        return self._keep(reserved)

    async def charge(self, number: int, actual: int | None) -> tuple[Any, tuple[Crossing, ...]]:
        """Settle a reservation; give the charges, and what they have crossed."""
        settlement = self.held[number].settle(actual)
        await self._tend()
        crossed, self.crossings[:] = tuple(self.crossings), []
        return settlement.charges, crossed

    async def standing(self, budget: Budget, now: float) -> BudgetStanding:
        self.now = now
        return await self.budgets.standing(budget, now)

    def _keep(self, taken: Any) -> int:
        number = len(self.held)
        self.held[number] = taken
        return number

    async def _tend(self) -> None:
        assert self.membership.joined is not None
        await self.limiter.tend(self.membership.joined)
        await self.budgets.tend(self.membership.joined)

    # Let loose: many calls at once, in real time.

    async def run(
        self, number: int, limits: Sequence[Limit], budgets: Sequence[Budget], rounds: int
    ) -> tuple[list[Taken], list[Taken], list[Crossing]]:
        """Make calls that take and settle at random; give what was admitted of limits and budgets."""
        beside = [asyncio.create_task(work) for work in (self.limiter.deliver(), self.budgets.deliver())]
        chance, of_limits, of_budgets = random.Random(number), list[Taken](), list[Taken]()

        async def caller() -> None:
            for _ in range(rounds):
                await self._call(chance, limits, of_limits)
                await self._spend(chance, budgets, of_budgets)

        await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
        # What is broken off while it is on its way is sent again, and then nobody hears what it crossed.
        while len(self.limiter.outbox) + len(self.budgets.outbox):
            await asyncio.sleep(0.001)
        for task in beside:
            task.cancel()
        await asyncio.wait(beside)
        assert not self.limiter.held
        assert not self.budgets.held
        return of_limits, of_budgets, self.crossings

    async def _call(self, chance: random.Random, limits: Sequence[Limit], taken: list[Taken]) -> None:
        places = chance.sample(range(len(limits)), chance.randint(1, 3))
        asked = Amounts(1, chance.randint(0, 40), chance.randint(0, 40))
        answer = await self.limiter.take([limits[place] for place in places], asked)
        assert not answer.degraded
        if isinstance(answer.taken, Refusal):
            return
        answered = time.monotonic()
        hold: Held = answer.taken
        await asyncio.sleep(chance.random() / 200)
        real = Amounts(1, chance.randint(0, asked.input_tokens), chance.randint(0, asked.output_tokens))
        counts = {place: RULES[limits[place].kind].counts for place in places}
        used = {place: (asked.of(each), real.of(each)) for place, each in counts.items()}
        taken.append((answered, time.monotonic(), used))
        hold.settle(real)

    async def _spend(self, chance: random.Random, budgets: Sequence[Budget], taken: list[Taken]) -> None:
        places = chance.sample(range(len(budgets)), chance.randint(1, len(budgets)))
        amounts = [chance.randint(0, 60) for _ in places]
        reserved = await self.budgets.reserve([budgets[place] for place in places], amounts, time.time())
        if isinstance(reserved, BudgetRefusal):
            return
        assert not reserved.degraded
        answered, actual = time.monotonic(), chance.randint(0, min(amounts))
        await asyncio.sleep(chance.random() / 200)
        used = {place: (amount, actual) for place, amount in zip(places, amounts, strict=True)}
        taken.append((answered, time.monotonic(), used))
        reserved.settle(actual)


LOG = structlog.get_logger()


async def _nothing(_budgets: Sequence[Budget], _now: float) -> dict[Budget, int]:
    return {}
