"""When a credential may be used: ready, or out of use for a time and then tried with one call.

    ready ── refused ──▶ out of use ── its time is over, one call passes ──▶ accepted: ready
                             ◀────────────────────────────────────────────── refused again: longer

Pure: monotonic seconds come as `now`, and chance as a function from 0 up to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

State = Literal["ready", "parked", "quarantined"]
Reason = Literal["rate_limited", "quota_exhausted", "rejected"]

LONGEST = 3600.0
"""Seconds. Whatever a provider asks for, a credential is tried again within the hour."""
LEASE = 120.0
"""Seconds for which a call that tries it keeps others out: as long as the first event of a stream is awaited by default."""
RAMP = 10.0
"""Seconds after its return until a credential gets its whole share of the calls again."""
RAMP_START = 0.1
SOON = 1.0
"""Seconds to wait where another call is trying it: a guess."""
FIRST_MARK = 0
_MOST_DOUBLINGS = 64


@dataclass(frozen=True, slots=True)
class Term:
    """For how long a reason keeps a credential out of use. Seconds."""

    state: State
    first: float
    """Twice as long each time that it is refused again."""
    jitter: float
    """The share by which that may be shorter, so that many credentials are not tried at once."""
    heeds_provider: bool
    """Whether what the provider asks for goes before."""


TERMS: Mapping[Reason, Term] = {
    "rate_limited": Term("parked", 1.0, 0.2, heeds_provider=True),
    # Waits that come with it are those of rate limits, and no waiting fills an account.
    "quota_exhausted": Term("parked", LONGEST, 0.0, heeds_provider=False),
    # Some providers refuse good credentials for a moment, which must not cost an hour where there is no other;
    # the doubling leaves a bad one nine calls in the first hour and a half, and one an hour from then on.
    "rejected": Term("quarantined", 10.0, 0.2, heeds_provider=False),
}


@dataclass(frozen=True, slots=True)
class Parked:
    """What a refusal has come to."""

    reason: Reason
    seconds: float
    again: bool
    """Whether it was out of use for the same reason before, and has not recovered."""


class Parking:
    """Whether one credential may be used. Changes at once and never waits.

    A call that uses it holds the number that `take` gave, by which what it tells later is known to be of
    this state and not of one before.
    """

    __slots__ = ("_doublings", "_freed_at", "_mark", "_random", "_reason", "_taken_until", "_until", "barred")

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._mark = FIRST_MARK
        self._doublings = 0
        self._reason: Reason = "rate_limited"
        self.barred = False
        """Whether it is out of use, or due to be tried."""
        self._until = self._taken_until = self._freed_at = float("-inf")

    @property
    def state(self) -> State:
        """How it stands."""
        return TERMS[self._reason].state if self.barred else "ready"

    @property
    def reason(self) -> Reason | None:
        """Why it is out of use."""
        return self._reason if self.barred else None

    def wait(self, now: float) -> float:
        """Give the seconds until a call may use it; 0: now."""
        if not self.barred:
            return 0.0
        if now < self._until:
            return self._until - now
        return min(SOON, self._taken_until - now) if now < self._taken_until else 0.0

    def share(self, now: float) -> float:
        """Give the part of its weight that counts, from 0 to 1: little just after its return."""
        since = now - self._freed_at
        return 1.0 if since >= RAMP else RAMP_START + (1 - RAMP_START) * since / RAMP

    def take(self, now: float) -> int:
        """Let a call use it; `wait` has said that it may."""
        if self.barred:
            self._mark += 1
            self._taken_until = now + LEASE
        return self._mark

    def accept(self, mark: int, now: float) -> bool:
        """Note that the provider takes it. Gives whether that brings it back into use."""
        if not self.barred or mark != self._mark:
            return False
        self.barred, self._freed_at = False, now
        return True

    def refuse(self, mark: int, reason: Reason, asked: float | None, now: float) -> Parked | None:
        """Take it out of use; `asked` is how long the provider says. Gives nothing where that is old news."""
        if mark != self._mark:
            return None
        again = reason == self._reason and (self.barred or now - self._freed_at < RAMP)
        self._doublings = min(self._doublings + 1, _MOST_DOUBLINGS) if again else 0
        self._mark += 1
        self._reason, self.barred = reason, True
        seconds = self._term(asked)
        self._until, self._taken_until = now + seconds, float("-inf")
        return Parked(reason, seconds, again)

    def release(self, mark: int) -> None:
        """Note that a call has ended; where it has told nothing, the next one may try."""
        if mark == self._mark:
            self._taken_until = float("-inf")

    def reset(self) -> None:
        """Bring it back into use, and forget. Calls on their way count no more."""
        self._mark += 1
        self.barred = False
        self._doublings = 0
        self._freed_at = float("-inf")

    def _term(self, asked: float | None) -> float:
        term = TERMS[self._reason]
        if term.heeds_provider and asked:
            return min(asked, LONGEST)
        return min(term.first * 2.0**self._doublings, LONGEST) * (1 - term.jitter * self._random())
