"""Where limits and budgets are kept: in this process, or in a Redis that several share, as do breakers' hints.

One row a kind of `state`.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from app.config.models import Config
from app.config.state import kind_of
from app.gateway.breaker_hints import BreakerHints
from app.gateway.breakers import Breakers
from app.limits.limiter import Limiter
from app.limits.local import LocalLimiter
from app.limits.memory import MemoryLimits
from app.limits.shared import SharedLimiter
from app.state.link import Link
from app.state.membership import Membership
from app.state.opening import connections_to
from app.store.spending import SpendStore
from app.telemetry.clock import Clock
from app.telemetry.metrics import Metrics
from app.usage.budget_book import BudgetBook
from app.usage.budgeting import Budgets
from app.usage.budgets import Budget, Crossing
from app.usage.local_budgets import LocalBudgets
from app.usage.seeding import seed, spent_of
from app.usage.shared_budgets import SharedBudgets


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What limits and budgets need of the rest."""

    config: Config
    clock: Clock
    new_id: Callable[[], str]
    spending: SpendStore
    metrics: Metrics
    breakers: Breakers
    log: FilteringBoundLogger
    tell: Callable[[Crossing], None]
    """Told of each share of a budget that is spent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Limits and budgets, and what has to be done for them."""

    limiter: Limiter
    budgets: Budgets
    start: Callable[[], Awaitable[None]]
    """To be awaited before the first call."""
    tasks: Mapping[str, Coroutine[None, None, None]]
    """To be run beside everything else, by name."""
    stop: Callable[[], Awaitable[None]]
    """To be awaited after the last call."""
    is_lost: Callable[[], bool]
    """Whether shared state is lost, and each process decides alone."""


def keep(around: Surroundings) -> Keeping:
    """Build it. Raises `ClientMissing` where Redis is wanted and redis-py is not installed."""
    keeping = _KINDS[kind_of(around.config.state)](around)
    keeping.limiter.configure(around.config.on_state_loss)
    keeping.budgets.configure(around.config.on_state_loss)
    around.metrics.watch_held(limits=lambda: keeping.limiter.held, budgets=lambda: keeping.budgets.held)
    return keeping


def _in_memory(around: Surroundings) -> Keeping:
    async def learn(book: BudgetBook, budgets: Sequence[Budget]) -> None:
        await seed(book, budgets, around.spending, around.clock.wall(), around.log)

    async def nothing() -> None:
        return

    return Keeping(
        limiter=LocalLimiter(MemoryLimits(), around.clock.monotonic),
        budgets=LocalBudgets(BudgetBook(), learn),
        start=nothing,
        tasks={},
        stop=nothing,
        is_lost=lambda: False,
    )


def _in_redis(around: Surroundings) -> Keeping:
    async def read_spent(budgets: Sequence[Budget], now: float) -> dict[Budget, int]:
        return await spent_of(budgets, around.spending, now)

    connect = connections_to(around.config.state)
    membership = Membership(lambda: Link(connect), around.new_id, around.log, random.random)
    limiter = SharedLimiter(membership, around.clock.monotonic)
    budgets = SharedBudgets(membership, read_spent, around.tell, around.clock.wall, around.log)
    hints = BreakerHints(around.breakers, membership, around.clock.monotonic)
    membership.participants += [limiter, budgets, hints]
    around.metrics.watch_state(
        up=lambda: membership.joined is not None,
        losses=lambda: membership.losses,
        instances=lambda: membership.instances,
        dropped=lambda: limiter.outbox.dropped + budgets.outbox.dropped,
    )
    return Keeping(
        limiter=limiter,
        budgets=budgets,
        start=membership.start,
        tasks={
            "shared-state": membership.follow(),
            "shared-limits": limiter.deliver(),
            "shared-budgets": budgets.deliver(),
        },
        stop=membership.leave,
        is_lost=lambda: membership.joined is None,
    )


_KINDS: Mapping[str, Callable[[Surroundings], Keeping]] = {
    "memory": _in_memory,
    "redis": _in_redis,
    "rediss": _in_redis,
}
