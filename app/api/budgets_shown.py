"""What is shown of a budget: how it stands in its running period."""

from __future__ import annotations

from pydantic import BaseModel

from app.store.money import dollars
from app.usage.budgets import Budget, Standing


class BudgetStanding(BaseModel):
    """How a budget stands in its running period, as this instance knows. Amounts in dollars."""

    subject: str
    """Whose: `key:NAME`, `user:NAME`, `team:NAME`, `plan:PLAN/NAME`, …"""
    per: str
    mode: str
    amount: str
    spent: str
    reserved: str
    """Held for calls that are running."""
    left: str
    starts: int
    ends: int | None


def standing_shown(budget: Budget, standing: Standing) -> BudgetStanding:
    """Show a budget."""
    return BudgetStanding(
        subject=budget.subject,
        per=budget.period.kind,
        mode=budget.mode,
        amount=dollars(budget.amount),
        spent=dollars(standing.spent),
        reserved=dollars(standing.reserved),
        left=dollars(standing.left),
        starts=standing.starts,
        ends=standing.ends,
    )
