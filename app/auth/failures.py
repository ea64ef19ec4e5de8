"""Who has presented too much that is not recognised. Pure, but for its memory, which is bounded.

A leaky bucket for each mark, kept as one number: the time at which it will be empty (GCRA). A failure
that is refused fills nothing, so a flood lets as many through as the bucket leaks, and good keys,
which are never counted, all.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

PERIOD = 60.0
"""Seconds in which a full bucket empties."""
REMEMBERED = 10_000
"""Marks that are kept; the one that failed longest ago goes first."""
_ROUNDING = 1e-6
PREFIX = 12
"""Bytes of a key that tell one that is tried with many endings: ours begin alike in three."""


class Failures:
    """Counts failed attempts by marks: an address, the beginning of a key."""

    def __init__(self, per_minute: int = 1) -> None:
        self._empty_at: dict[Hashable, float] = {}
        self._drop = PERIOD / per_minute

    def configure(self, per_minute: int) -> None:
        """Take another bound; what was counted counts on."""
        self._drop = PERIOD / per_minute

    def count(self, marks: Iterable[Hashable], now: float) -> float:
        """Count a failure for each mark; give the seconds until the next may be made, 0 if this one was in bounds."""
        wait = 0.0
        for mark in marks:
            wait = max(wait, self._count(mark, now))
        return wait

    def _count(self, mark: Hashable, now: float) -> float:
        filled = max(self._empty_at.pop(mark, now), now) + self._drop
        over = filled - now - PERIOD
        # Floats add up to a little more or less than a minute's worth of drops.
        refused = over > _ROUNDING
        if len(self._empty_at) >= REMEMBERED:
            del self._empty_at[next(iter(self._empty_at))]
        self._empty_at[mark] = filled - self._drop if refused else filled
        return over if refused else 0.0
