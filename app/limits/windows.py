"""The sliding window: how much was used in the last `length` seconds.

An entry counts from its admission until it is `length` old. A window keeps sums by slots of
`length / PRECISION`, and a slot leaves when the youngest that it could hold has to: no entry leaves
early, none more than one slot late, and memory does not grow with the number of calls.
"""

from __future__ import annotations

import math

from app.limits.meters import Entry, Slot

PRECISION = 1200
"""Slots in a window: 50 ms each where the window is a minute."""
_SURELY = 1 - 1e-12
"""Times a product, what is not above it however that was rounded."""


class Window:
    """A sliding window of `length` seconds."""

    __slots__ = ("_length", "_slot_length", "_slots", "_unchanged_until", "_used")

    def __init__(self, length: float) -> None:
        self._length = length
        self._slot_length = length / PRECISION
        self._slots: list[Slot] = []
        self._used = 0
        self._unchanged_until = math.inf
        """A time before which no slot leaves."""

    def used(self, now: float, /) -> int:
        """Say how much counts at this time."""
        self._expire(now)
        return self._used

    def room_at(self, amount: int, capacity: int, now: float, /) -> float | None:
        """Give the earliest time at which `amount` fits; nothing (0) fits even beside a debt."""
        if amount > capacity:
            return None
        excess = self.used(now) + amount - capacity
        if excess <= 0 or amount == 0:
            return now
        oldest = iter(self._slots)
        while excess > 0:
            slot = next(oldest)
            excess -= slot.amount
        return self._leaving(slot)

    def has_room(self, amount: int, capacity: int, now: float, /) -> bool:
        """Say whether an amount fits now; nothing (0) fits even beside a debt."""
        if now >= self._unchanged_until:
            self._expire(now)
        return self._used + amount <= capacity or (amount == 0 <= capacity)

    def take(self, amount: int, now: float, /) -> Entry:
        """Count an amount from now on."""
        if now >= self._unchanged_until:
            self._expire(now)
        slots = self._slots
        tick = now // self._slot_length
        if not slots or slots[-1].tick < tick:
            slots.append(Slot(tick))
            self._look_ahead()
        slot = slots[-1]
        slot.amount += amount
        self._used += amount
        return Entry(slot, now, amount)

    def settle(self, entry: Entry, real: int, now: float, /) -> None:
        """Change the entry while it is in the window; later a debt is a new one and a refund is nothing."""
        # A provider's count may be nonsense, and a negative one would lend capacity.
        change = max(real, 0) - entry.amount
        if entry.slot.live and now - entry.at < self._length:
            entry.slot.amount += change
            self._used += change
        elif change > 0:
            self.take(change, now)

    def empty_at(self, now: float, /) -> float:
        """Give the time at which the youngest entry has left."""
        self._expire(now)
        for slot in reversed(self._slots):
            if slot.amount:
                return self._leaving(slot)
        return now

    def idle(self, now: float, /) -> bool:
        """Say whether all entries have left."""
        self._expire(now)
        return not self._slots

    def _expire(self, now: float) -> None:
        if now < self._unchanged_until:
            return
        slots = self._slots
        oldest = now // self._slot_length - PRECISION
        gone = 0
        while gone < len(slots) and slots[gone].tick < oldest:
            self._used -= slots[gone].amount
            slots[gone].live = False
            gone += 1
        if gone:
            del slots[:gone]
        self._look_ahead()

    def _look_ahead(self) -> None:
        slots = self._slots
        leaves = (slots[0].tick + PRECISION + 1) * self._slot_length if slots else math.inf
        self._unchanged_until = leaves * _SURELY

    def _leaving(self, slot: Slot) -> float:
        tick = slot.tick + PRECISION + 1
        time = tick * self._slot_length
        # The product may be rounded to just before the tick.
        while time // self._slot_length < tick:
            time = math.nextafter(time, math.inf)
        return time
