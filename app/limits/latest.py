"""What numbers have been lately: the latest ones alone, so that what was learnt is forgotten in time."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from typing import Generic, TypeVar

SAMPLES = 64
"""Numbers that are remembered."""

Number = TypeVar("Number", int, float)


class Latest(Generic[Number]):
    """The latest numbers of one kind, in order of arrival and in order of size."""

    __slots__ = ("_arrived", "_sorted")

    def __init__(self) -> None:
        self._arrived: deque[Number] = deque()
        self._sorted: list[Number] = []

    def add(self, number: Number) -> None:
        """Note one, in place of the oldest where there is no room."""
        if len(self._arrived) == SAMPLES:
            del self._sorted[bisect_left(self._sorted, self._arrived.popleft())]
        self._arrived.append(number)
        insort(self._sorted, number)

    def p95(self, *, warm: int) -> Number | None:
        """Give the 95th percentile; None as long as fewer than `warm` numbers have come."""
        count = len(self._sorted)
        return None if count < warm else self._sorted[-(-count * 95 // 100) - 1]
