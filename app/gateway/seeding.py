"""What budgets begin with when the gateway starts, or takes another configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from app.auth.principal import Principal
from app.gateway.rules import BudgetRules
from app.gateway.subjects import PLAN
from app.store.database import StoreUnavailable
from app.store.spending import SpendStore
from app.usage.budget_book import BudgetBook
from app.usage.seeding import seed

LONGEST_PERIOD = 32 * 86_400.0
"""Seconds that hold every period of a budget that ends."""


@dataclass(frozen=True, slots=True)
class Seeding:
    """Tells budgets what their running periods have spent, as the ledger has it."""

    spending: SpendStore
    rules: BudgetRules
    log: FilteringBoundLogger

    async def seed(
        self, book: BudgetBook, principals: Sequence[Principal], now: float, *, holders: bool = True
    ) -> None:
        """Seed the budgets of these callers, and those of all other `holders` of plans that have spent.

        Raises `StoreUnavailable` where a strict budget would not be kept.
        """
        budgets = self.rules.known(principals)
        if holders:
            try:
                # Tokens name users that stand nowhere else.
                spent = await self.spending.subjects(PLAN, int(now - LONGEST_PERIOD))
                budgets += self.rules.of_plans(spent)
            except StoreUnavailable:
                if self.rules.has_strict_plans():
                    raise
        await seed(book, budgets, self.spending, now, self.log)
