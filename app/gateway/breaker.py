"""The circuit breaker: who fails is left alone for a while, then tried with one call at a time.

    closed ── tripped ──▶ open ── rested ──▶ half_open ── recovered ──▶ closed
                            ◀──────────── relapsed ──┘

Pure: monotonic seconds come as `now`, and chance as a function or as `luck`, both from 0 up to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from app.config.resilience import BreakerSettings
from app.gateway.permit import Barred, Permit
from app.gateway.recent_calls import RecentCalls
from app.gateway.verdicts import Mark

State = Literal["closed", "open", "half_open"]
Event = Literal["tripped", "rested", "recovered", "relapsed"]

_NEXT: Mapping[tuple[State, Event], State] = {
    ("closed", "tripped"): "open",
    ("open", "rested"): "half_open",
    ("half_open", "recovered"): "closed",
    ("half_open", "relapsed"): "open",
}

LEASE = 120.0
"""Seconds for which a probe keeps others out: as long as the first event of a stream is awaited by default."""
PROBES = 2
"""Successful probes in a row that close the breaker."""
RAMP = 10.0
"""Seconds after closing until every call passes, so that recovery is no second overload."""
RAMP_START = 0.1
"""The share of calls that pass just after closing."""
JITTER = 0.2
"""The share of its time by which an opening may be shorter, so that many breakers do not probe at once."""
SOON = 1.0
"""Seconds to wait where a call may pass at any time: a guess."""
_MOST_DOUBLINGS = 64


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A breaker as people see it."""

    state: State
    consecutive: int
    """Failures in a row."""
    ratio: float | None
    """The share of failures among recent calls; None without any."""
    probe_in: float | None
    """Seconds until a probe may pass; None unless it is open."""
    openings: int
    """Since the start."""


class Breaker:
    """One breaker. Changes at once and never waits."""

    def __init__(self, settings: BreakerSettings, random: Callable[[], float]) -> None:
        self.settings = settings
        self._random = random
        self._state: State = "closed"
        self._era = 0
        self._openings = 0
        self._doublings = 0
        self._open_until = self._closed_at = float("-inf")
        self._recent = RecentCalls(settings.window)
        self._consecutive = 0
        self._probe: Permit | None = None
        self._probed = 0
        self._lease_until = float("-inf")

    def reset(self) -> None:
        """Close, and forget all but how often it has opened. Calls on their way count no more."""
        self._state = "closed"
        self._era += 1
        self._closed_at = float("-inf")
        self._start_counting()

    def admit(self, now: float, luck: float | None = None) -> Permit | Barred:
        """Let a call pass or not. Of calls after closing, those with more luck than their share wait.

        `luck` is drawn where it is not given: a call that asks several breakers has the same luck with each.
        """
        self._rest(now)
        wait = self._wait(now, luck)
        if wait is not None:
            return Barred(wait)
        permit = Permit(self._era, self._learn)
        if self._state == "half_open":
            self._probe, self._lease_until = permit, now + LEASE
        return permit

    def snapshot(self, now: float) -> Snapshot:
        """Say how it stands."""
        self._rest(now)
        calls, failures = self._recent.count(now)
        return Snapshot(
            self._state,
            self._consecutive,
            failures / calls if calls else None,
            self._open_until - now if self._state == "open" else None,
            self._openings,
        )

    def _rest(self, now: float) -> None:
        if self._state == "open" and now >= self._open_until:
            self._happened("rested", now)

    def _wait(self, now: float, luck: float | None) -> float | None:
        """Give the seconds that a call has to wait, None if it may pass."""
        if self._state == "open":
            return self._open_until - now
        if self._state == "half_open":
            taken = self._probe is not None and now < self._lease_until
            return min(SOON, self._lease_until - now) if taken else None
        since = now - self._closed_at
        if since >= RAMP:
            return None
        share = RAMP_START + (1 - RAMP_START) * since / RAMP
        return None if (self._random() if luck is None else luck) < share else min(SOON, RAMP - since)

    def _learn(self, permit: Permit, mark: Mark, now: float) -> None:
        if permit.era != self._era:
            # It began before the last change of state, and that is what it tells of.
            return
        if self._state == "half_open":
            self._learn_of_probe(permit, mark, now)
        elif mark != "nothing":
            failed = mark == "failure"
            self._recent.add(now, failed=failed)
            self._consecutive = self._consecutive + 1 if failed else 0
            if failed and self._fails_too_often(now):
                self._happened("tripped", now)

    def _learn_of_probe(self, permit: Permit, mark: Mark, now: float) -> None:
        if permit is not self._probe:
            # Its lease had run out, and another took its place.
            return
        self._probe = None
        if mark == "failure":
            self._consecutive += 1
            self._happened("relapsed", now)
        elif mark == "success":
            self._consecutive = 0
            self._probed += 1
            if self._probed == PROBES:
                self._happened("recovered", now)

    def _fails_too_often(self, now: float) -> bool:
        if self._consecutive >= self.settings.consecutive:
            return True
        calls, failures = self._recent.count(now)
        return calls >= self.settings.min_calls and failures >= self.settings.failure_ratio * calls

    def _happened(self, event: Event, now: float) -> None:
        self._state = _NEXT[self._state, event]
        self._era += 1
        match event:
            case "tripped":
                # Who fails while calls are still held back has not recovered.
                self._open(0 if now - self._closed_at >= RAMP else self._doublings + 1, now)
            case "relapsed":
                self._open(self._doublings + 1, now)
            case "rested":
                self._probe, self._probed = None, 0
            case "recovered":
                self._closed_at = now
                self._start_counting()

    def _open(self, doublings: int, now: float) -> None:
        self._doublings = doublings
        self._openings += 1
        full = self.settings.open_for * 2.0 ** min(doublings, _MOST_DOUBLINGS)
        self._open_until = now + min(full, self.settings.max_open) * (1 - JITTER * self._random())

    def _start_counting(self) -> None:
        self._recent = RecentCalls(self.settings.window)
        self._consecutive = 0
