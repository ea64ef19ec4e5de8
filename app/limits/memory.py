"""Limits of one process: all or none in one step, settled once."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from app.limits.ask import Amounts, Limit, Refusal, Standing
from app.limits.gauge import Gauge
from app.limits.kinds import Rule
from app.limits.meters import Entry, Meter
from app.limits.windows import Window

_SWEPT_PER_LIMIT = 2
"""Meters looked at for every one that an ask may add: what is idle never outnumbers what is not by much."""


class Hold:
    """What one call has taken, until it settles."""

    __slots__ = ("_asked", "_entries", "_limits")

    def __init__(self, asked: Amounts, entries: list[tuple[Limit, Entry]], limits: MemoryLimits) -> None:
        self._asked = asked
        self._entries = entries
        self._limits = limits

    def settle(self, real: Amounts | None, now: float, *, refund_requests: bool = False) -> None:
        """Replace the estimate by what was used, and free concurrency. A second call does nothing.

        None: the call reached no provider. Its tokens come back; its request does with `refund_requests`.
        """
        entries, self._entries = self._entries, []
        self._limits.held -= len(entries)
        if real is None:
            real = Amounts(requests=0 if refund_requests else self._asked.requests)
        for limit, entry in entries:
            # Looked up anew: a window whose entries have all left may have been dropped since.
            self._limits.meter(limit).settle(entry, real.of(limit.rule.counts), now)


class MemoryLimits:
    """The meters of all subjects. `now` is in monotonic seconds everywhere."""

    def __init__(self) -> None:
        self._meters: OrderedDict[str, Meter] = OrderedDict()
        self.held = 0
        """What calls under way have taken and not settled."""

    def __len__(self) -> int:
        return len(self._meters)

    def take(self, limits: Sequence[Limit], asked: Amounts, now: float) -> Hold | Refusal:
        """Take from all limits, or from none and say which of them frees last.

        A subject's kind that is named twice is checked twice and counted once.
        """
        self._sweep(_SWEPT_PER_LIMIT * len(limits) + 1, now)
        return self.refusal(limits, asked, now) or self._take(limits, asked, now)

    def count(self, limits: Sequence[Limit], asked: Amounts, now: float) -> Hold:
        """Take from all limits, whether they have room or not."""
        self._sweep(_SWEPT_PER_LIMIT * len(limits) + 1, now)
        return self._take(limits, asked, now)

    def used(self, now: float) -> Iterator[tuple[str, int]]:
        """Give the key of each meter with what counts of it."""
        for key, meter in self._meters.items():
            yield key, meter.used(now)

    def standings(self, limits: Sequence[Limit], now: float) -> list[Standing]:
        """Say how far each limit is used, in the order given. A debt leaves 0, not less."""
        return [self._standing(limit, now) for limit in limits]

    def meter(self, limit: Limit) -> Meter:
        """Give the meter of a limit."""
        meter = self._meters.get(limit.key)
        if meter is None:
            meter = self._meters[limit.key] = _new_meter(limit.rule)
        return meter

    def _take(self, limits: Sequence[Limit], asked: Amounts, now: float) -> Hold:
        distinct = {limit.key: limit for limit in limits}.values()
        entries = [(limit, self.meter(limit).take(asked.of(limit.rule.counts), now)) for limit in distinct]
        self.held += len(entries)
        return Hold(asked, entries, self)

    def refusal(self, limits: Sequence[Limit], asked: Amounts, now: float) -> Refusal | None:
        """Give the refusal of an ask, from the limit that frees last; None where all have room."""
        last, free_at = None, now
        for limit in limits:
            amount = asked.of(limit.rule.counts)
            at = self.meter(limit).room_at(amount, limit.capacity, now)
            if at is None:
                return Refusal(limit, self.meter(limit).used(now), amount, None)
            if at > free_at:
                last, free_at = limit, at
        if last is None:
            return None
        amount = asked.of(last.rule.counts)
        return Refusal(last, self.meter(last).used(now), amount, _wait(now, free_at))

    def _standing(self, limit: Limit, now: float) -> Standing:
        meter = self._meters.get(limit.key)
        if meter is None:
            return Standing(limit, limit.capacity, 0.0)
        return Standing(limit, max(0, limit.capacity - meter.used(now)), _wait(now, meter.empty_at(now)))

    def _sweep(self, count: int, now: float) -> None:
        """Drop the idle ones of those that were not looked at for longest."""
        for _ in range(min(count, len(self._meters))):
            key, meter = self._meters.popitem(last=False)
            if not meter.idle(now):
                self._meters[key] = meter


def _new_meter(rule: Rule) -> Meter:
    return Gauge() if rule.length is None else Window(rule.length)


def _wait(now: float, until: float) -> float:
    wait = until - now
    # The sum has to reach the instant, whatever the difference was rounded to.
    while now + wait < until:
        wait = math.nextafter(wait, math.inf)
    return wait
