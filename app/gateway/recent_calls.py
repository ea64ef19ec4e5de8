"""How many calls there were lately, and how many of them failed. Monotonic seconds come as `now`."""

from __future__ import annotations

from typing import NamedTuple

BUCKETS = 10
"""What a window is counted in: calls leave it a tenth at a time, and never late."""


class Count(NamedTuple):
    """Calls that came to an end, and those of them that failed."""

    calls: int
    failures: int


class RecentCalls:
    """Calls in a window of `length` seconds, in as many buckets as it ever needs."""

    __slots__ = ("_calls", "_failures", "_ticks", "_width")

    def __init__(self, length: float) -> None:
        self._width = length / BUCKETS
        self._ticks = [-BUCKETS] * BUCKETS
        self._calls = [0] * BUCKETS
        self._failures = [0] * BUCKETS

    def add(self, now: float, *, failed: bool) -> None:
        """Count a call that has ended."""
        tick = int(now // self._width)
        place = tick % BUCKETS
        if self._ticks[place] != tick:
            self._ticks[place] = tick
            self._calls[place] = self._failures[place] = 0
        self._calls[place] += 1
        self._failures[place] += failed

    def count(self, now: float) -> Count:
        """Sum up the window that ends now."""
        oldest = int(now // self._width) - BUCKETS + 1
        live = [place for place, tick in enumerate(self._ticks) if tick >= oldest]
        return Count(sum(self._calls[place] for place in live), sum(self._failures[place] for place in live))
