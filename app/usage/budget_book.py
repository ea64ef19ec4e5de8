"""Budgets of one process: reserve for all or for none, settle exactly once. Pure, in one event loop.

The invariant: no reservation is given unless spent + reserved + asked ≤ amount in every budget. So if no
call costs more than was reserved for it, no period costs more than its amount. A call that costs more is
a debt: it is counted, and where the amount is exceeded the budget is closed until its period ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

from app.usage.budgets import (
    Budget,
    BudgetRefusal,
    Charge,
    Crossing,
    Settlement,
    Standing,
    check_nanos,
    is_spent,
)
from app.usage.periods import Period, Span

FEWEST_BEFORE_SWEEP = 1024
"""Periods of budgets in memory below which none is looked for that has passed."""


class _Tally:
    """What one budget has spent in one period. It outlives the period while calls hold on to it."""

    __slots__ = ("reserved", "span", "spent", "told")

    def __init__(self, span: Span, spent: int = 0) -> None:
        self.span = span
        self.spent = spent
        self.reserved = 0
        self.told: set[Decimal] = set()

    def standing(self, amount: int) -> Standing:
        left = max(0, amount - self.spent - self.reserved)
        return Standing(self.spent, self.reserved, left, self.span.start, self.span.end)

    def cross(self, budget: Budget) -> list[Decimal]:
        """Give the shares that are spent and have not been told, and take them as told."""
        crossed = [s for s in sorted({*budget.notify} - self.told) if is_spent(s, self.spent, budget.amount)]
        self.told.update(crossed)
        return crossed


class Reservation:
    """Money held for one call. Settle it in `finally`."""

    __slots__ = ("_book", "_held")
    degraded = False

    def __init__(self, held: Sequence[tuple[Budget, _Tally, int]], book: BudgetBook) -> None:
        self._held = held
        self._book = book

    def charges(self) -> tuple[Charge, ...]:
        """Give what would be charged if the call cost all that is held for it."""
        return tuple(
            [
                Charge(budget.subject, budget.period.kind, tally.span.start, reserved)
                for budget, tally, reserved in self._held
            ]
        )

    def settle(self, actual: int | None) -> Settlement:
        """Turn what was held into what the call has cost, in nano-dollars. A second call does nothing.

        None: it has cost nothing, for it never reached a provider. Raises `ValueError`, and holds on,
        where the cost is no whole number from 0 on.
        """
        cost = check_nanos(0 if actual is None else actual)
        held, self._held = self._held, ()
        self._book.held -= len(held)
        charges: list[Charge] = []
        crossings: list[Crossing] = []
        for budget, tally, reserved in held:
            tally.reserved -= reserved
            tally.spent += cost
            if cost:
                charges.append(Charge(budget.subject, budget.period.kind, tally.span.start, cost))
            if budget.notify:
                crossings += [Crossing(budget, s, tally.standing(budget.amount)) for s in tally.cross(budget)]
        return Settlement(tuple(charges), tuple(crossings))


class BudgetBook:
    """Knows what each budget has spent. `now` is unix seconds; a clock that goes back finds its period again."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str, int], _Tally] = {}
        self._spans: dict[str, Span] = {}
        self.held = 0
        """Reservations of calls under way."""
        self._sweep_at = FEWEST_BEFORE_SWEEP

    def reserve(
        self, budgets: Sequence[Budget], amounts: Sequence[int], now: float
    ) -> Reservation | BudgetRefusal:
        """Hold an amount (nano-dollars) in each budget, or in none where one has no room for its own.

        Raises `ValueError` where the amounts do not pair with the budgets, or a budget comes twice.
        """
        if len(budgets) > 1 and len({(each.subject, each.period.name) for each in budgets}) != len(budgets):
            raise ValueError("a subject has two budgets for one period; it can have one")
        held = [
            (budget, self._tally(budget, now), check_nanos(amount))
            for budget, amount in zip(budgets, amounts, strict=True)
        ]
        refusals = [
            BudgetRefusal(budget, amount, tally.standing(budget.amount))
            for budget, tally, amount in held
            if tally.spent + tally.reserved + amount > budget.amount
        ]
        if refusals:
            return max(refusals, key=lambda refusal: refusal.standing.ends or math.inf)
        for _, tally, amount in held:
            tally.reserved += amount
        self.held += len(held)
        return Reservation(held, self)

    def knows(self, budget: Budget, now: float) -> bool:
        """Say whether the running period of a budget has been seeded, or had a call."""
        return (budget.subject, budget.period.name, self._span(budget.period, now).start) in self._tallies

    def seed(self, budget: Budget, period_start: int, spent: int) -> None:
        """Take over what the ledger says was spent, before a period's first call. Its shares count as told.

        Raises `ValueError` where no period starts then, or calls have been admitted in it already.
        """
        span = budget.period.span(period_start)
        key = (budget.subject, budget.period.name, period_start)
        if span.start != period_start:
            raise ValueError(f"no {budget.period.kind} starts at {period_start} in {budget.period.zone}")
        if key in self._tallies:
            raise ValueError(f"{budget.subject} has calls in this {budget.period.kind} already")
        tally = self._tallies[key] = _Tally(span, check_nanos(spent))
        tally.cross(budget)

    def standing(self, budget: Budget, now: float) -> Standing:
        """Say how a budget stands."""
        span = self._span(budget.period, now)
        tally = self._tallies.get((budget.subject, budget.period.name, span.start)) or _Tally(span)
        return tally.standing(budget.amount)

    def _tally(self, budget: Budget, now: float) -> _Tally:
        span = self._span(budget.period, now)
        key = (budget.subject, budget.period.name, span.start)
        tally = self._tallies.get(key)
        if tally is None:
            self._sweep(now)
            tally = self._tallies[key] = _Tally(span)
        return tally

    def _span(self, period: Period, now: float) -> Span:
        span = self._spans.get(period.name)
        if span is None or now < span.start or (span.end is not None and now >= span.end):
            span = self._spans[period.name] = period.span(now)
        return span

    def _sweep(self, now: float) -> None:
        """Drop what ended before the last period, each time the number of tallies has doubled."""
        if len(self._tallies) < self._sweep_at:
            return
        self._tallies = {
            key: tally for key, tally in self._tallies.items() if not _long_over(tally.span, now)
        }
        self._sweep_at = max(FEWEST_BEFORE_SWEEP, 2 * len(self._tallies))


def _long_over(span: Span, now: float) -> bool:
    return span.end is not None and span.end + (span.end - span.start) <= now
