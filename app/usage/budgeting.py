"""What guards and gates ask of budgets, wherever these are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from app.config.state import OnStateLoss
from app.usage.budgets import Budget, BudgetRefusal, Charge, Settlement, Standing


class Reserved(Protocol):
    """Money held for one call. Settle it in `finally`."""

    @property
    def degraded(self) -> bool:
        """Whether this process decided alone, because the state that it shares is lost."""
        ...

    def charges(self) -> tuple[Charge, ...]:
        """Give what would be charged if the call cost all that is held for it."""
        ...

    def settle(self, actual: int | None) -> Settlement:
        """Turn what was held into what the call has cost, in nano-dollars. A second call does nothing.

        None: it has cost nothing, for it never reached a provider. Raises `ValueError`, and holds on,
        where the cost is no whole number from 0 on.
        """
        ...


class Known(Protocol):
    """Which budgets there are."""

    def named(self) -> Sequence[Budget]:
        """Give those that configuration and stored keys name."""
        ...

    async def of_holders(self) -> Sequence[Budget]:
        """Give those of callers that stand nowhere but have spent. Raises `StoreUnavailable`."""
        ...

    @property
    def strict_holders(self) -> bool:
        """Whether one of those may be strict, and not known yet."""
        ...


class Budgets(Protocol):
    """Knows what each budget has spent."""

    @property
    def held(self) -> int:
        """Reservations of calls under way."""
        ...

    def configure(self, on_loss: OnStateLoss) -> None:
        """Say what becomes of budgets that do not say it themselves, while shared state is lost."""
        ...

    async def know(self, known: Known) -> None:
        """Learn from the ledger what the running periods of all budgets have spent, where that is not known yet.

        `known` may be asked again. Raises `StoreUnavailable` where a strict budget would not be kept.
        """
        ...

    async def learn(self, budgets: Sequence[Budget]) -> None:
        """Learn the same of further ones. Raises `StoreUnavailable` as `know` does."""
        ...

    async def reserve(
        self, budgets: Sequence[Budget], amounts: Sequence[int], now: float
    ) -> Reserved | BudgetRefusal:
        """Hold an amount (nano-dollars) in each budget, or in none where one has no room for its own.

        Raises `Unavailable` where state is lost and a budget is closed then, `ValueError` where the
        amounts do not pair with the budgets, or a budget comes twice.
        """
        ...

    async def standing(self, budget: Budget, now: float) -> Standing:
        """Say how a budget stands."""
        ...
