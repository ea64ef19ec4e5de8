"""Where calls wait a moment for a place, if the configuration allows it. The last to come goes first.

Under overload a queue in order of arrival serves everybody late: by the time a call is due its client
has given up. The newest one's client is the likeliest to be there still.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from app.gateway.entrance import Entrance, Place
from app.limits.places import PRIORITIES, Reason
from app.limits.queue import Timer, Timers

WORTH_WAITING: tuple[Reason, ...] = ("total", "priority", "tenant")
"""What ends when another call does. Lag and memory do not get better by keeping more."""
MOST = 1_000
"""Calls that may wait: more would not get in before their time is over."""


class Patience(NamedTuple):
    """What a call needs to wait."""

    tenant: str
    priority: str
    reason: Reason


@dataclass(eq=False, slots=True)
class _Waiter:
    tenant: str
    begin: Callable[[Place], None]
    timer: Timer | None = None


class Lobby:
    """Stands before the entrance; holds calls until there is a place, or their time is over."""

    def __init__(self, entrance: Entrance, timers: Timers, max_wait: float) -> None:
        """`max_wait` in seconds; 0: nobody waits."""
        self.entrance = entrance
        self.max_wait = max_wait
        self._timers = timers
        self._waiting: dict[str, list[_Waiter]] = {priority: [] for priority in reversed(PRIORITIES)}
        """By priority, the highest first; the newest last."""

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def ask(self, tenant: str, priority: str) -> Place | Reason | Patience:
        """Give a place, the reason why there is none, or what to `wait` with where one may come in time."""
        verdict = self.entrance.admit(tenant, priority)
        if isinstance(verdict, Place) or not self._holds(verdict):
            return verdict
        return Patience(tenant, priority, verdict)

    def wait(
        self, patience: Patience, begin: Callable[[Place], None], keep_out: Callable[[Reason], None]
    ) -> None:
        """Call `begin` with a place when there is one, or `keep_out` with the reason when the time is over."""
        waiter = _Waiter(patience.tenant, begin)
        self._wait(self._waiting[patience.priority], waiter, partial(keep_out, patience.reason))

    def leave(self, place: Place) -> None:
        """Take a place back, for who waits for one."""
        place.give_back()
        if self.max_wait > 0:
            self.wake()

    def _holds(self, reason: Reason) -> bool:
        return self.max_wait > 0 and reason in WORTH_WAITING and len(self) < MOST

    def _wait(self, lane: list[_Waiter], waiter: _Waiter, keep_out: Callable[[], None]) -> None:
        def late() -> None:
            lane.remove(waiter)
            keep_out()

        lane.append(waiter)
        waiter.timer = self._timers.call_later(self.max_wait, late)

    def wake(self) -> None:
        """Offer what has become free."""
        for priority, lane in self._waiting.items():
            refused: set[str] = set()
            for waiter in lane[::-1]:
                if waiter.tenant in refused:
                    continue
                verdict = self.entrance.admit(waiter.tenant, priority)
                if isinstance(verdict, Place):
                    self._let_in(lane, waiter, verdict)
                elif verdict == "tenant":
                    refused.add(waiter.tenant)
                else:
                    break

    def _let_in(self, lane: list[_Waiter], waiter: _Waiter, place: Place) -> None:
        lane.remove(waiter)
        if waiter.timer is not None:
            waiter.timer.cancel()
        waiter.begin(place)
