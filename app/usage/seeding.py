"""What budgets have spent before this process, or this configuration, knew of them."""

from __future__ import annotations

from collections.abc import Sequence

from structlog.typing import FilteringBoundLogger

from app.store.database import StoreUnavailable
from app.store.spending import FOREVER, SpendStore
from app.usage.budget_book import BudgetBook
from app.usage.budgets import Budget


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
    running = {(b.subject, b.period.kind.value, b.period.start(now)): b for b in unknown}
    # What counts for good is given in any case; asking for it from its start would read all that there is.
    starts = [start for _, kind, start in running if kind != FOREVER]
    subjects = sorted({budget.subject for budget in unknown})
    try:
        found = await spending.spend(subjects, min(starts, default=int(now)))
    except StoreUnavailable as error:
        if any(budget.mode == "strict" for budget in unknown):
            raise
        log.error("budgets_not_seeded", reason=str(error))
        return
    for charge in found:
        budget = running.get((charge.subject, charge.period, charge.period_start))
        # A call may have come while the ledger was being read.
        if budget and not book.knows(budget, now):
            book.seed(budget, charge.period_start, charge.nano)
