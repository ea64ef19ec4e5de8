"""Which budgets there are: what they have spent is read when the gateway starts, takes another configuration, or Redis forgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.auth.principal import Principal
from app.gateway.rules import BudgetRules
from app.gateway.subjects import PLAN
from app.store.spending import SpendStore
from app.usage.budgets import Budget

LONGEST_PERIOD = 32 * 86_400.0
"""Seconds that hold every period of a budget that ends."""


@dataclass(frozen=True, slots=True)
class Seeding:
    """The budgets of a configuration. Implements `app.usage.budgeting.Known`."""

    spending: SpendStore
    rules: BudgetRules
    principals: Callable[[], Sequence[Principal]]
    """All callers that are known by name."""
    now: Callable[[], float]
    """Unix seconds."""
    new_plans: bool = True
    """Whether plans may have budgets that nobody has learnt of yet."""

    def named(self) -> Sequence[Budget]:
        """Give the budgets of all levels, models and providers, and of the callers that are known."""
        return self.rules.known(self.principals())

    async def of_holders(self) -> Sequence[Budget]:
        """Give those of all holders of plans that have spent: tokens name users that stand nowhere else. Raises `StoreUnavailable`."""
        return self.rules.of_plans(await self.spending.subjects(PLAN, int(self.now() - LONGEST_PERIOD)))

    @property
    def strict_holders(self) -> bool:
        """Whether one of those may be strict, and not known yet."""
        return self.new_plans and self.rules.has_strict_plans()
