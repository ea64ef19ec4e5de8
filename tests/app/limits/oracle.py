"""The promise of the limits, written down slowly: a list of what was admitted when."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.limits.ask import Limit


@dataclass(eq=False)
class Admitted:
    at: float
    amount: int


@dataclass
class ExactWindow:
    """Tokens count at admission. Settlement changes that entry while it is in the window; later a debt is a
    new entry at settlement and a refund is nothing."""

    length: float
    entries: list[Admitted] = field(default_factory=list)
    digits: int = 18
    """Of a second, as the clock beside it counts: the difference of two floats may lie before a length that is just over."""

    def used(self, now: float, late: float = 0.0) -> int:
        return sum(entry.amount for entry in self.entries if now - entry.at < self.length + late)

    def take(self, amount: int, now: float) -> Admitted:
        self.entries.append(Admitted(now, amount))
        return self.entries[-1]

    def settle(self, entry: Admitted, real: int, now: float) -> None:
        if round(now - entry.at, self.digits) < self.length:
            entry.amount = real
        elif real > entry.amount:
            self.take(real - entry.amount, now)

    def free_at(self, amount: int, capacity: int, now: float) -> float:
        """The first instant, from now on, at which the amount fits."""
        instants = [
            now,
            *sorted(entry.at + self.length for entry in self.entries if entry.at + self.length > now),
        ]
        # A little later than each instant, for the sum of two floats may lie before the real one.
        return next(t for t in instants if amount == 0 or self.used(t + 1e-7) + amount <= capacity)


@dataclass
class ExactGauge:
    length = 0.0
    under_way: int = 0

    def used(self, now: float, late: float = 0.0) -> int:
        return self.under_way

    def take(self, amount: int, now: float) -> Admitted:
        self.under_way += amount
        return Admitted(now, amount)

    def settle(self, entry: Admitted, real: int, now: float) -> None:
        self.under_way -= entry.amount


def exact(limit: Limit, digits: int) -> ExactWindow | ExactGauge:
    return ExactGauge() if limit.rule.length is None else ExactWindow(limit.rule.length, digits=digits)
