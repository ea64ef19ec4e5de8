"""What money is reserved for: a budget in one of its periods. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.state.script import key_of
from app.usage.budgets import Budget, Charge, Standing
from app.usage.periods import Span

_DAY = 86_400
_FOR_GOOD = 400 * _DAY
"""Seconds for which a budget without an end is kept after its last call; each start reads the ledger anew."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """A budget in one of its periods."""

    budget: Budget
    span: Span

    @property
    def key(self) -> str:
        """Name it in Redis."""
        period = self.budget.period
        return key_of("budget", f"{self.budget.subject} {period.kind} {period.zone} {self.span.start}")

    def ttl(self, now: float) -> int:
        """Give milliseconds for which it is kept: a period longer than it lasts, for calls that end late."""
        start, end = self.span
        return math.ceil(_FOR_GOOD if end is None else max(0.0, end - now) + (end - start) + _DAY) * 1000

    def standing(self, spent: int, reserved: int) -> Standing:
        """Give how it stands with this."""
        left = max(0, self.budget.amount - spent - reserved)
        return Standing(spent, reserved, left, *self.span)

    def charge(self, nano: int) -> Charge:
        """Give what this much adds to its spending."""
        return Charge(self.budget.subject, self.budget.period.kind, self.span.start, nano)
