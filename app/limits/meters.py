"""What measures one limit of one subject, whether a window or a gauge. Monotonic seconds come as `now`."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Slot:
    """A sum of what was admitted, in one slot of time where time matters."""

    __slots__ = ("amount", "live", "tick")

    def __init__(self, tick: float) -> None:
        self.tick = tick
        self.amount = 0
        self.live = True


class Entry(NamedTuple):
    """What one call took of one meter."""

    slot: Slot
    at: float
    amount: int


class Meter(Protocol):
    """Measures one limit of one subject."""

    def used(self, now: float, /) -> int:
        """Say how much counts at this time."""
        ...

    def room_at(self, amount: int, capacity: int, now: float, /) -> float | None:
        """Give the earliest time at which `amount` fits, `now` if it does already, None if it never will."""
        ...

    def has_room(self, amount: int, capacity: int, now: float, /) -> bool:
        """Say whether an amount fits now: whether `room_at` gives `now`."""
        ...

    def take(self, amount: int, now: float, /) -> Entry:
        """Count an amount, whether it fits or not."""
        ...

    def settle(self, entry: Entry, real: int, now: float, /) -> None:
        """Put the real amount in place of the one taken."""
        ...

    def empty_at(self, now: float, /) -> float:
        """Give the time at which nothing counts any more, if nothing is taken."""
        ...

    def idle(self, now: float, /) -> bool:
        """Say whether it remembers nothing, so that a new one would do as well."""
        ...
