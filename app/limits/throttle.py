"""How many calls may begin between two ticks, so that the event loop keeps up. Pure.

The loop takes turns: it reads what has come, then works on it. Under more load than it can bear,
each turn finds more to do than the one before, and every call waits longer. So as soon as a turn
comes too late, no more calls may begin than what calls cost lets a short turn bear. Calls that
merely wait for their provider cost no turn anything, and are not bounded by this.
"""

from __future__ import annotations

from dataclasses import dataclass

GOAL = 0.1
"""How late a turn may be under pressure, as a share of what makes the pressure."""
BURST = 5.0
"""How much work may be let in at once where there is no pressure, as a multiple of what makes it."""
CHEAPEST = 0.0005
"""Seconds that a call is taken to cost as long as none was seen to cost more."""
FORGETTING = 0.998
"""What a calm tick leaves of a call's cost, until the next busy one measures it anew."""
REFUSAL = 0.00002
"""Seconds that refusing a call takes at the least."""
KEPT = 0.15
"""The share of the work that calls keep where refusing others takes so much that no turn is short any more."""
MEASURABLE = 8
"""Calls in a turn from which on the turn's work can be taken for theirs."""
LEAST, ENOUGH = 0.02, 1_000.0
"""Calls a tick: what the highest pressure lets in, and more than any worker can begin in one tick."""
GROWTH = 1.1
"""From tick to tick while turns are short: from the least to enough in about a second."""
STEEPEST = 0.5
"""What a late turn leaves of the bound at least: the turns after it may still work off the same heap."""
ROOM_FOR_ONE = 1.5
"""What parts of a call are saved up to: enough for one of any priority."""


@dataclass(frozen=True, slots=True)
class Beat:
    """One tick of the event loop's pulse. Seconds."""

    elapsed: float
    """Since the tick before."""
    planned: float
    worked: float
    """Of the time that has elapsed, what the loop's thread had of the processor."""
    now: float
    """Monotonic."""

    @property
    def late(self) -> float:
        """How much later it came than it should have."""
        return max(0.0, self.elapsed - self.planned)

    @property
    def late_by_work(self) -> float:
        """How much of that was its own doing: a machine that is busy with something else is no overload of ours."""
        return min(self.late, self.worked)


class Throttle:
    """Follows the length of the turns."""

    allowance: float
    """Calls that may begin until the next tick."""

    def __init__(self, max_lag: float) -> None:
        self.begun = 0
        """Calls that did since the last tick."""
        self.refused = 0
        """Calls that came since the last tick and were refused, for whatever reason."""
        self.is_pressed = False
        """Whether there was more to do than could be done a moment ago."""
        self._begun_before = 0
        self._bound = ENOUGH
        self._cost = CHEAPEST
        self.configure(max_lag)

    def configure(self, max_lag: float) -> None:
        """Take another bound: seconds that a turn may be late before calls are refused for it."""
        self._max_lag = max_lag
        self.allowance = BURST * max_lag / self._cost

    def tick(self, beat: Beat) -> None:
        """Learn how long the last turn was."""
        self._learn(beat)
        late = beat.late_by_work
        if late > self._max_lag or (self.is_pressed and late > GOAL * self._max_lag):
            self._tighten(beat)
        elif self.is_pressed:
            self._bound = min(ENOUGH, self._bound * GROWTH + LEAST)
        self.is_pressed = self._bound < ENOUGH
        if self.is_pressed:
            saved = max(0.0, self.allowance - self.begun)
            self.allowance = min(max(ROOM_FOR_ONE, self._bound), saved + self._bound)
        else:
            self.allowance = BURST * self._max_lag / self._cost
        self._begun_before, self.begun, self.refused = self.begun, 0, 0

    def _tighten(self, beat: Beat) -> None:
        goal = beat.planned + GOAL * self._max_lag
        bearable = goal / self._cost
        if self.is_pressed:
            # A bound of which little is used, as where all that come are of a low priority, is no higher than it seems.
            bearable = self._bound * min(1.0, bearable / max(1, self._begun_before))
        refusing = self.refused * REFUSAL >= KEPT * beat.worked
        least = KEPT * beat.worked / self._cost if refusing else LEAST
        self._bound = min(ENOUGH / GROWTH, max(least, bearable * max(STEEPEST, goal / beat.elapsed)))

    def _learn(self, beat: Beat) -> None:
        # What one turn reads, the next one works on.
        calls = self._begun_before
        if beat.late > beat.planned and calls >= MEASURABLE:
            seen = max(0.0, beat.worked - self.refused * REFUSAL) / calls
            self._cost = max(CHEAPEST, seen, 0.5 * (self._cost + seen))
        else:
            self._cost = max(CHEAPEST, self._cost * FORGETTING)
