"""How long a target will probably let a call wait, from what it did lately. Pure.

A moving average that follows a rise at once and a fall by and by ("peak EWMA"), times what the
target has to do already. Of a target that nobody asks the figure halves again and again, so that
one that was slow is tried once more; while that one try runs, the old figure holds for the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

MEMORY = 10.0
"""Seconds in which a fall is followed by two thirds."""
HALF_LIFE = 60.0
"""Seconds in which the figure of a target that is not asked halves: one that was ten times slower is tried after 200."""
PENALTY = 5.0
"""Seconds that a failure counts for at least."""
WORST = 120.0
"""Seconds that it counts for at most."""


@dataclass(slots=True)
class Latency:
    """Of one target, for one kind of answers."""

    seconds: float | None = None
    """None: not known yet."""
    at: float = 0.0
    """When it last answered or failed: monotonic seconds."""
    running: int = 0
    """Attempts of this kind that are under way."""

    def learn(self, seconds: float, now: float) -> None:
        """Take how long an answer took to begin."""
        if self.seconds is not None and seconds < self.seconds:
            kept = math.exp((self.at - now) / MEMORY)
            seconds = kept * self.seconds + (1 - kept) * seconds
        self.seconds, self.at = seconds, now

    def fail(self, seconds: float, now: float) -> None:
        """Take a failure after so many seconds. Each doubles what is expected."""
        known = self.seconds or 0.0
        self.learn(max(known, min(WORST, max(seconds, PENALTY, 2 * known))), now)

    def expect(self, now: float, busy: int) -> float:
        """Give the seconds that a call would wait beside `busy` others of all kinds.

        One that is not known is tried first, but by one call alone until that has told.
        """
        if self.seconds is None:
            return math.inf if self.running else 0.0
        if self.running:
            return self.seconds * (busy + 1)
        return self.seconds * (busy + 1) * math.exp2((self.at - now) / HALF_LIFE)
