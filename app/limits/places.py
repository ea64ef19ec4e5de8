"""How many calls may be under way, and whose. Pure.

Three rules, from the one that binds all to the one that binds the greedy:

1. There are no more calls than places.
2. A priority is refused from its own share of the places on, so that some are left for those above it.
3. A key may hold no more than a multiple of what is still free, as soon as another key asks too. That
   is the dynamic threshold of shared-memory switches (Choudhury and Hahne, 1998): the more keys want
   places the less each may hold, in equal parts, and whoever holds none finds one free.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

Reason = Literal["total", "priority", "tenant", "lag", "memory"]
PRIORITIES = ("low", "normal", "high")


@dataclass(frozen=True, slots=True)
class Sharing:
    """How places are shared out."""

    bars: Mapping[str, float]
    """By priority: the share of all places from which on it gets none."""
    largest: float
    """The share that one key may hold where others hold nothing and yet ask."""

    def among(self, present: Collection[str]) -> Sharing:
        """Give the same for keys of these priorities alone: nothing is kept for those who do not exist."""
        top = max(map(PRIORITIES.index, present), default=0)
        bars = {p: self.bars[p] if n < top else 1.0 for n, p in enumerate(PRIORITIES)}
        return Sharing(bars, self.largest)

    @property
    def multiple(self) -> float:
        """How many times what is free a key may hold."""
        return self.largest / max(1e-9, 1 - self.largest)


class Places:
    """Counts who holds how many."""

    def __init__(self, capacity: float, sharing: Sharing) -> None:
        self.taken = 0
        self._held: Counter[str] = Counter()
        self.configure(capacity, sharing)

    def configure(self, capacity: float, sharing: Sharing) -> None:
        """Take another number of places, or other rules. Those that are held stay held."""
        self.capacity = capacity
        self._bars = {priority: capacity * bar for priority, bar in sharing.bars.items()}
        self._multiple = sharing.multiple

    def held(self, tenant: str) -> int:
        """Give how many a tenant holds."""
        return self._held[tenant]

    def objection(self, tenant: str, priority: str, *, alone: bool) -> Reason | None:
        """Say why the tenant gets no place now; `alone`: nobody else has asked for any lately."""
        would_be = self.taken + 1
        if would_be > self.capacity:
            return "total"
        bar = self._bars[priority]
        if would_be > bar:
            return "priority"
        held = self._held[tenant]
        if held and not alone and held + 1 > self._multiple * (bar // 1 - would_be):
            return "tenant"
        return None

    def take(self, tenant: str) -> None:
        """Take a place: one that nothing was said against."""
        self.taken += 1
        self._held[tenant] += 1

    def give_back(self, tenant: str) -> None:
        """Give one back."""
        self.taken -= 1
        self._held[tenant] -= 1
        if not self._held[tenant]:
            del self._held[tenant]

    def empty(self) -> None:
        """Take all back."""
        self.taken = 0
        self._held.clear()
