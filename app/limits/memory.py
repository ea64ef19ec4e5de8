"""Limits of one process: all or none in one step, settled once."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence

from app.limits.ask import Amounts, Limit, Refusal, Standing, Tightest
from app.limits.gauge import Gauge
from app.limits.kinds import Rule
from app.limits.meters import Entry, Meter
from app.limits.windows import Window

_SWEPT_PER_METER = 2
"""Meters looked at for every one that is added: what is idle never outnumbers what is not by much."""


class Hold:
    """What one call has taken, until it settles."""

    __slots__ = ("_asked", "_entries", "_limits")

    def __init__(
        self, asked: Amounts, entries: Collection[tuple[Limit, Entry]], limits: MemoryLimits
    ) -> None:
        self._asked = asked
        self._entries = entries
        self._limits = limits

    def settle(self, real: Amounts | None, now: float, *, refund_requests: bool = False) -> None:
        """Replace the estimate by what was used, and free concurrency. A second call does nothing.

        None: the call reached no provider. Its tokens come back; its request does with `refund_requests`.
        """
        entries, self._entries = self._entries, ()
        self._limits.held -= len(entries)
        if real is None:
            real = Amounts(requests=0 if refund_requests else self._asked.requests)
        for limit, entry in entries:
            amount = real.of(limit.counts)
            if amount != entry.amount or limit.rule.length is None:
                self._limits.settle(limit, entry, amount, now)


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
        self._sweep(1, now)
        return self.refusal(limits, asked, now) or self._take(limits, asked, now)

    def count(self, limits: Sequence[Limit], asked: Amounts, now: float) -> Hold:
        """Take from all limits, whether they have room or not."""
        self._sweep(1, now)
        return self._take(limits, asked, now)

    def refusal(self, limits: Sequence[Limit], asked: Amounts, now: float) -> Refusal | None:
        """Give the refusal that an ask would get; None where all have room."""
        return self._refusal(limits, asked, now) if self.is_full(limits, asked, now) else None

    def is_full(self, limits: Sequence[Limit], asked: Amounts, now: float) -> bool:
        """Say whether any has no room."""
        for limit in limits:
            meter, amount = self._meters.get(limit.key), getattr(asked, limit.counts)
            if amount > limit.capacity or (meter and not meter.has_room(amount, limit.capacity, now)):
                return True
        return False

    def used(self, now: float) -> Iterator[tuple[str, int]]:
        """Give the key of each meter with what counts of it."""
        for key, meter in self._meters.items():
            yield key, meter.used(now)

    def standings(self, limits: Sequence[Limit], now: float) -> list[Standing]:
        """Say how far each limit is used, in the order given. A debt leaves 0, not less."""
        return [self._standing(limit, now) for limit in limits]

    def tightest(self, limits: Sequence[Limit], now: float) -> Tightest:
        """Pick what `Tightest.among` picks, without looking at each as closely."""
        requests: list[tuple[int, Limit]] = []
        tokens: list[tuple[int, Limit]] = []
        for limit in limits:
            if limit.rule.length is not None:
                meter = self._meters.get(limit.key)
                left = limit.capacity - (meter.used(now) if meter else 0)
                (requests if limit.counts == "requests" else tokens).append((max(0, left), limit))
        return Tightest(self._least(requests, now), self._least(tokens, now))

    def settle(self, limit: Limit, entry: Entry, amount: int, now: float) -> None:
        """Put the real amount in place of the one taken."""
        # Looked up anew: a window whose entries have all left may have been dropped since.
        meter = self._meters.get(limit.key) or self._add(limit, now)
        meter.settle(entry, amount, now)

    def _add(self, limit: Limit, now: float) -> Meter:
        self._sweep(_SWEPT_PER_METER, now)
        meter = self._meters[limit.key] = _new_meter(limit.rule)
        return meter

    def _take(self, limits: Sequence[Limit], asked: Amounts, now: float) -> Hold:
        entries: dict[str, tuple[Limit, Entry]] = {}
        for limit in limits:
            key = limit.key
            if key not in entries:
                meter = self._meters.get(key) or self._add(limit, now)
                entries[key] = limit, meter.take(asked.of(limit.counts), now)
        self.held += len(entries)
        return Hold(asked, entries.values(), self)

    def _refusal(self, limits: Sequence[Limit], asked: Amounts, now: float) -> Refusal:
        """Give the refusal of the limit that frees last; one of them has no room."""
        last, free_at = limits[0], -math.inf
        for limit in limits:
            amount = asked.of(limit.counts)
            at = self._meter(limit).room_at(amount, limit.capacity, now)
            if at is None:
                return Refusal(limit, self._meter(limit).used(now), amount, None)
            if at > free_at:
                last, free_at = limit, at
        return Refusal(last, self._meter(last).used(now), asked.of(last.counts), _wait(now, free_at))

    def _meter(self, limit: Limit) -> Meter:
        """Give the meter of a limit, or one like that which it would have."""
        return self._meters.get(limit.key) or _new_meter(limit.rule)

    def _least(self, found: list[tuple[int, Limit]], now: float) -> Standing | None:
        if not found:
            return None
        smallest = min([left for left, _ in found])
        longest, until = found[0][1], -math.inf
        for left, limit in found:
            if left == smallest and (empty_at := self._meter(limit).empty_at(now)) > until:
                longest, until = limit, empty_at
        return Standing(longest, smallest, _wait(now, until))

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
