"""Budgets in Redis, seen like a book: time is an argument, and nothing suspends."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from app.state.membership import Membership
from app.usage.budgets import Budget, BudgetRefusal, Crossing, Settlement
from app.usage.shared_budgets import SharedBudgets
from tests.harness.crew import Crew
from tests.harness.shared import join, membership_of
from tests.harness.valkey import Valkey


class Named:
    """Knows these budgets. Implements `app.usage.budgeting.Known`."""

    strict_holders = False

    def __init__(self, budgets: Iterable[Budget]) -> None:
        self._budgets = budgets

    def named(self) -> Sequence[Budget]:
        return [*self._budgets]

    async def of_holders(self) -> Sequence[Budget]:
        return ()


class SharedBook:
    """Two processes that share one server, asked in turn."""

    def __init__(self, server: Valkey) -> None:
        server.run("FLUSHALL")
        self.server = server
        self.runner = asyncio.Runner()
        self.now = 0.0
        self.turn = 0
        self.crossings: list[Crossing] = []
        self.ledger: dict[Budget, int] = {}
        self.processes = [self.runner.run(self._join()) for _ in range(2)]

    async def _join(self) -> tuple[SharedBudgets, Membership]:
        membership = membership_of(
            self.server.url,
            clock=lambda: f"{round(self.now * 1_000_000)}",
            lease=5e9,
            monotonic=lambda: self.now,
        )

        async def read(budgets: Sequence[Budget], _now: float) -> dict[Budget, int]:
            return {budget: self.ledger[budget] for budget in budgets if budget in self.ledger}

        budgets = SharedBudgets(
            membership, read, self.crossings.append, lambda: self.now, structlog.get_logger()
        )
        membership.participants.append(budgets)
        await join(membership)
        await budgets.know(Named(self.ledger))
        return budgets, membership

    def reserve(self, budgets: Sequence[Budget], amounts: Sequence[int], now: float) -> Any:
        self.now = now
        self.turn += 1
        process = self.processes[self.turn % 2]
        reserved = self.runner.run(process[0].reserve(budgets, amounts, now))
        if isinstance(reserved, BudgetRefusal):
            return reserved
        assert not reserved.degraded
        return _Reservation(reserved, self, process)

    def standing(self, budget: Budget, now: float) -> Any:
        self.now = now
        return self.runner.run(self.processes[0][0].standing(budget, now))

    def close(self) -> None:
        with self.server.client() as client:
            for key in client.keys("*"):
                assert client.ttl(key) > 0, f"{key} would stay for ever"
        for _, membership in self.processes:
            self.runner.run(membership.leave())
        self.runner.close()


class _Reservation:
    def __init__(self, reserved: Any, book: SharedBook, process: Any) -> None:
        self.reserved = reserved
        self.book = book
        self.process = process

    def charges(self) -> Any:
        return self.reserved.charges()

    def settle(self, actual: int | None) -> Settlement:
        settlement = self.reserved.settle(actual)
        budgets, membership = self.process
        self.book.runner.run(budgets.tend(membership.joined))
        crossings, self.book.crossings[:] = tuple(self.book.crossings), []
        return Settlement(settlement.charges, crossings)


class CrewBook:
    """Processes that share one server, asked in turn; what one reserved it settles itself."""

    def __init__(self, server: Valkey, crew: Crew) -> None:
        server.run("FLUSHALL")
        self.server = server
        self.crew = crew
        self.turn = 0
        for number in range(len(crew)):
            crew.tell(number, "join", number, server.url)

    def reserve(self, budgets: Sequence[Budget], amounts: Sequence[int], now: float) -> Any:
        process = self._next()
        reserved = self.crew.tell(process, "reserve", budgets, amounts, now)
        if isinstance(reserved, BudgetRefusal):
            return reserved
        return _Told(self.crew, process, reserved)

    def standing(self, budget: Budget, now: float) -> Any:
        return self.crew.tell(self._next(), "standing", budget, now)

    def close(self) -> None:
        with self.server.client() as client:
            for key in client.keys("*"):
                assert client.ttl(key) > 0, f"{key} would stay for ever"
        self.crew.all("leave")

    def _next(self) -> int:
        self.turn += 1
        return self.turn % len(self.crew)


@dataclass(frozen=True)
class _Told:
    crew: Crew
    process: int
    number: int

    def settle(self, actual: int | None) -> Settlement:
        return Settlement(*self.crew.tell(self.process, "charge", self.number, actual))
