"""What budgets have spent before this process, or this configuration, knew of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from structlog.typing import FilteringBoundLogger

from app.store.database import StoreUnavailable
from app.store.spending import FOREVER, SpendStore
from app.usage.budget_book import BudgetBook
from app.usage.budgets import Budget

ReadSpent = Callable[[Sequence[Budget], float], Awaitable[dict[Budget, int]]]
"""Gives what the ledger has of each budget's period at this time, in nano-dollars. Raises `StoreUnavailable`."""


async def seed(
    book: BudgetBook, budgets: Sequence[Budget], spending: SpendStore, now: float, log: FilteringBoundLogger
) -> None:
    """Tell each budget that the book does not know yet what its running period has spent, as the ledger has it.

    Raises `StoreUnavailable` where that cannot be read and one of them is strict: its promise is void
    as long as nobody knows what has been spent.
    """
    unknown = [budget for budget in budgets if not book.knows(budget, now)]
    if not unknown:
        return
    try:
        spent = await spent_of(unknown, spending, now)
    except StoreUnavailable as error:
        if any(budget.mode == "strict" for budget in unknown):
            raise
        log.error("budgets_not_seeded", reason=str(error))
        return
    for budget, nano in spent.items():
        # A call may have come while the ledger was being read.
        if not book.knows(budget, now):
            book.seed(budget, budget.period.start(now), nano)


async def spent_of(budgets: Sequence[Budget], spending: SpendStore, now: float) -> dict[Budget, int]:
    """Give what those budgets have spent that have spent anything in the period that holds `now`, as the ledger has it.

    Raises `StoreUnavailable`.
    """
    running = {(b.subject, b.period.kind.value, b.period.start(now)): b for b in budgets}
    # What counts for good is given in any case; asking for it from its start would read all that there is.
    starts = [start for _, kind, start in running if kind != FOREVER]
    subjects = sorted({budget.subject for budget in budgets})
    found = await spending.spend(subjects, min(starts, default=int(now)))
    spent = {(charge.subject, charge.period, charge.period_start): charge.nano for charge in found}
    return {budget: spent[key] for key, budget in running.items() if key in spent}
