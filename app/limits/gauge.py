"""The gauge: how much is under way."""

from __future__ import annotations

from app.limits.meters import Entry, Slot

BUSY_HINT = 1.0
"""Seconds. A gauge frees when some call ends, and nobody knows when that is."""


class Gauge:
    """What is under way. Nothing leaves but by settlement."""

    __slots__ = ("_slot",)

    def __init__(self) -> None:
        self._slot = Slot(0.0)

    def used(self, _now: float, /) -> int:
        """Say how much is under way."""
        return self._slot.amount

    def room_at(self, amount: int, capacity: int, now: float, /) -> float | None:
        """Give `now`, None if it never fits, or a guess."""
        if amount > capacity:
            return None
        return now if self._slot.amount + amount <= capacity else now + BUSY_HINT

    def has_room(self, amount: int, capacity: int, _now: float, /) -> bool:
        """Say whether an amount fits now."""
        return self._slot.amount + amount <= capacity

    def take(self, amount: int, now: float, /) -> Entry:
        """Count an amount in."""
        self._slot.amount += amount
        return Entry(self._slot, now, amount)

    def settle(self, entry: Entry, _real: int, _now: float, /) -> None:
        """Count out what was counted in."""
        self._slot.amount -= entry.amount

    def empty_at(self, now: float, /) -> float:
        """Give `now`, or a guess."""
        return now + BUSY_HINT if self._slot.amount else now

    def idle(self, _now: float, /) -> bool:
        """Say whether nothing is under way."""
        return self._slot.amount == 0
