"""The places where limits are kept, seen alike: time is an argument, and nothing suspends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from copy import deepcopy
from typing import Any, Protocol, TypeVar

from app.limits.ask import Amounts, Limit, Refusal, Standing
from app.limits.memory import MemoryLimits
from app.limits.shared import SharedLimiter
from app.state.membership import Membership
from tests.harness.crew import Crew
from tests.harness.shared import join, membership_of
from tests.harness.valkey import Valkey

T = TypeVar("T")


class Store(Protocol):
    digits: int
    """Of a second, as its clock counts."""

    def take(self, limits: Sequence[Limit], asked: Amounts, now: float) -> Any: ...

    def would_take(self, limits: Sequence[Limit], asked: Amounts, now: float) -> bool:
        """Ask, and leave everything as it is."""
        ...

    def standings(self, limits: Sequence[Limit], now: float) -> list[Standing]: ...

    def settle(
        self, hold: Any, real: Amounts | None, now: float, *, refund_requests: bool = False
    ) -> None: ...

    def close(self, now: float) -> None:
        """End, and see that nothing is left at a time at which nothing counts any more."""
        ...


class InMemory:
    digits = 18

    def __init__(self) -> None:
        self.limits = MemoryLimits()
        self.take = self.limits.take
        self.standings = self.limits.standings

    def would_take(self, limits: Sequence[Limit], asked: Amounts, now: float) -> bool:
        return not isinstance(deepcopy(self.limits).take(limits, asked, now), Refusal)

    def settle(self, hold: Any, real: Amounts | None, now: float, *, refund_requests: bool = False) -> None:
        hold.settle(real, now, refund_requests=refund_requests)

    def close(self, now: float) -> None:
        for _ in range(100):
            self.limits.take([], Amounts(), now)
        assert len(self.limits) == 0, "what is idle is dropped"


class InValkey:
    """Clients in one process that share one server, asked in turn."""

    digits = 6

    def __init__(self, server: Valkey, clients: int = 2) -> None:
        self.server = server
        server.run("FLUSHALL")
        self.runner = asyncio.Runner()
        self.now = 0.0
        self.turn = 0
        self.processes = [self.run(self._join(0)) for _ in range(clients)]
        self.other = self.run(self._join(1))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def _join(self, db: int) -> tuple[SharedLimiter, Membership]:
        url = self.server.url.removesuffix("/0") + f"/{db}"
        membership = membership_of(url, clock=lambda: f"{round(self.now * 1_000_000)}", lease=1e9)
        limiter = SharedLimiter(membership, lambda: self.now)
        membership.participants.append(limiter)
        await join(membership)
        return limiter, membership

    def take(self, limits: Sequence[Limit], asked: Amounts, now: float) -> Any:
        self.now = now
        self.turn += 1
        return self.run(self.processes[self.turn % 2][0].take(limits, asked)).taken

    def would_take(self, limits: Sequence[Limit], asked: Amounts, now: float) -> bool:
        before, self.now = self.now, now
        limiter, _ = self.other
        with self.server.client() as client, self.server.client(1) as copies:
            for key in client.keys("*}:limit:*") + client.keys("*}:ticks:*"):
                client.copy(key, key, destination_db=1, replace=True)
            taken = self.run(limiter.take(limits, asked)).taken
            for key in copies.keys("*}:limit:*") + copies.keys("*}:ticks:*"):
                copies.delete(key)
        self.now = before
        return not isinstance(taken, Refusal)

    def standings(self, limits: Sequence[Limit], now: float) -> list[Standing]:
        self.now = now
        return self.run(self.processes[0][0].standings(limits))

    def settle(self, hold: Any, real: Amounts | None, now: float, *, refund_requests: bool = False) -> None:
        self.now = now
        hold.settle(real, refund_requests=refund_requests)
        for limiter, membership in self.processes:
            assert membership.joined is not None
            self.run(limiter.tend(membership.joined))

    def close(self, now: float) -> None:
        with self.server.client() as client:
            for key in client.keys("*"):
                assert client.ttl(key) > 0, f"{key} would stay for ever"
        for _, membership in (*self.processes, self.other):
            self.run(membership.leave())
        self.runner.close()


class InCrew(InValkey):
    """Processes that share one server, asked in turn; what one took it settles itself."""

    def __init__(self, server: Valkey, crew: Crew) -> None:
        super().__init__(server, clients=0)
        self.crew = crew
        for number in range(len(crew)):
            crew.tell(number, "join", number, server.url)

    def take(self, limits: Sequence[Limit], asked: Amounts, now: float) -> Any:
        process = self._next()
        taken = self.crew.tell(process, "take", limits, asked, now)
        return taken if isinstance(taken, Refusal) else (process, taken)

    def standings(self, limits: Sequence[Limit], now: float) -> list[Standing]:
        standings: list[Standing] = self.crew.tell(self._next(), "standings", limits, now)
        return standings

    def settle(self, hold: Any, real: Amounts | None, now: float, *, refund_requests: bool = False) -> None:
        process, number = hold
        self.crew.tell(process, "settle", number, real, now, refund_requests)

    def close(self, now: float) -> None:
        super().close(now)
        self.crew.all("leave")

    def _next(self) -> int:
        self.turn += 1
        return self.turn % len(self.crew)
