"""The values of budgets. Money is in whole nano-dollars."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple

from app.config.state import OnStateLoss
from app.usage.periods import Period, PeriodKind


def check_nanos(nanos: int) -> int:
    """Let an amount through. Raises `ValueError` where it is no whole number from 0 on."""
    if type(nanos) is not int or nanos < 0:
        raise ValueError(f"{nanos!r} is no amount: whole nano-dollars, from 0 on")
    return nanos


@dataclass(frozen=True, slots=True)
class Budget:
    """What one subject may spend in a period. Raises `ValueError` for what cannot be."""

    subject: str
    """Whose: `key:ci`, `team:search`, …"""
    amount: int
    """Nano-dollars a period."""
    period: Period
    mode: Literal["strict", "learned"] = "learned"
    """What callers reserve: a bound that no call exceeds, or what calls have cost so far."""
    notify: tuple[Decimal, ...] = ()
    """Shares of the amount that are told once a period when they are spent: over 0, up to 1."""
    on_loss: OnStateLoss | None = None
    """What becomes of it while shared state is lost. None: a strict one is closed, another as the configuration has it."""

    def __post_init__(self) -> None:
        check_nanos(self.amount)
        for share in self.notify:
            if not share.is_finite() or not 0 < share <= 1:
                raise ValueError(f"`{share}` is no share of a budget; write one over 0 and up to 1, as 0.8")


class Standing(NamedTuple):
    """How a budget stands in one period, in nano-dollars and unix seconds."""

    spent: int
    reserved: int
    """Held for calls that are running."""
    left: int
    """What may still be reserved; 0 where more was spent than there was."""
    starts: int
    ends: int | None
    """When the period ends; None is never."""


@dataclass(frozen=True, slots=True)
class BudgetRefusal:
    """A budget without room for a call. Of several, the one that begins anew last."""

    budget: Budget
    asked: int
    standing: Standing

    @property
    def fits_later(self) -> bool:
        """Whether the next period could have room: it comes, and the whole amount is enough."""
        return self.standing.ends is not None and self.asked <= self.budget.amount


class Charge(NamedTuple):
    """What a call adds to a subject's spending. It belongs to the period in which it was reserved."""

    subject: str
    period: PeriodKind
    period_start: int
    """Unix seconds."""
    nano: int


class Crossing(NamedTuple):
    """A share of a budget that is spent now, told once a period."""

    budget: Budget
    share: Decimal
    standing: Standing


class Settlement(NamedTuple):
    """What became of a reservation."""

    charges: tuple[Charge, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    """In the order of the budgets, and of the shares of each."""


def is_spent(share: Decimal, spent: int, amount: int) -> bool:
    """Say whether a share of an amount is spent."""
    parts, whole = share.as_integer_ratio()
    return spent * whole >= parts * amount
