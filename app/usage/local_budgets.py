"""Budgets of this process alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from app.config.state import OnStateLoss
from app.store.database import StoreUnavailable
from app.usage.budget_book import BudgetBook, Reservation
from app.usage.budgeting import Known
from app.usage.budgets import Budget, BudgetRefusal, Standing

Seed = Callable[[BudgetBook, Sequence[Budget]], Awaitable[None]]
"""Tells a book what budgets that it does not know have spent. Raises `StoreUnavailable`."""


class LocalBudgets:
    """Implements `app.usage.budgeting.Budgets` over a book of this process."""

    def __init__(self, book: BudgetBook, seed: Seed) -> None:
        self._book = book
        self._seed = seed

    @property
    def held(self) -> int:
        """Reservations of calls under way."""
        return self._book.held

    def configure(self, on_loss: OnStateLoss) -> None:
        """Nothing is shared that could be lost."""

    async def know(self, known: Known) -> None:
        """Learn from the ledger. Raises `StoreUnavailable`."""
        holders: Sequence[Budget] = ()
        try:
            holders = await known.of_holders()
        except StoreUnavailable:
            if known.strict_holders:
                raise
        await self.learn([*known.named(), *holders])

    async def learn(self, budgets: Sequence[Budget]) -> None:
        """Learn of further ones. Raises `StoreUnavailable`."""
        await self._seed(self._book, budgets)

    async def reserve(
        self, budgets: Sequence[Budget], amounts: Sequence[int], now: float
    ) -> Reservation | BudgetRefusal:
        """Hold an amount in each budget, or in none. Never suspends."""
        return self._book.reserve(budgets, amounts, now)

    async def standing(self, budget: Budget, now: float) -> Standing:
        """Say how a budget stands. Never suspends."""
        return self._book.standing(budget, now)
