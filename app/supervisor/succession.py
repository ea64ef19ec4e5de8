"""Which process serves, which one follows it, and what to do when one ends. Pure: `now` is monotonic seconds."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import NamedTuple

START_LIMIT = 120.0
"""Seconds in which a successor must be ready; the one it is to follow serves meanwhile."""
STEADY = 10.0
"""Seconds after which the end of a process has nothing to do with the ends before it."""
DELAYS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each next start where processes end one after the other; the last goes on for ever."""
MOST_STARTS = len(DELAYS)
"""So many starts in a row may fail while nobody serves."""


class Start(NamedTuple):
    """Start a process for a place."""

    place: int


class Send(NamedTuple):
    """Send a signal to a process."""

    pid: int
    number: signal.Signals


class Say(NamedTuple):
    """Tell the operator."""

    text: str


class LetGo(NamedTuple):
    """Close the listening sockets: nobody will follow."""


class End(NamedTuple):
    """End with this status: of a program, or minus the number of the signal that ended it."""

    status: int


Action = Start | Send | Say | LetGo | End


class Child:
    """A process: from its start over its service to its leaving."""

    def __init__(self, pid: int, place: int, now: float) -> None:
        self.pid = pid
        self.place = place
        self.since = now
        """When it was started; once it is ready, when it was."""
        self.serves = self.leaves = self.must_reload = False


class Place:
    """What is served by one process at a time. `workers` would be their number."""

    def __init__(self) -> None:
        self.start_at: float | None = None
        """When to start a process, where none is."""
        self.ends_in_a_row = self.failed_starts = 0
        self.again = False
        """A restart was asked for while one was under way."""


class Succession:
    """The table of processes. Every method gives what is to be done now."""

    def __init__(self, places: int = 1) -> None:
        self._places = [Place() for _ in range(places)]
        self._children: dict[int, Child] = {}
        self._has_served = self._stops = False
        self._status = 0

    def begin(self) -> Iterator[Action]:
        """Start the first processes."""
        return map(Start, range(len(self._places)))

    def started(self, place: int, pid: int, now: float) -> None:
        """Take note of a process."""
        self._places[place].start_at = None
        self._children[pid] = Child(pid, place, now)

    def ready(self, pid: int, now: float) -> Iterator[Action]:
        """Take note that a process serves: the one before it leaves."""
        child = self._children.get(pid)
        if child is None or child.serves:
            return
        child.serves, child.since = True, now
        self._has_served = True
        place = self._places[child.place]
        place.failed_starts = 0
        for other in self._in(child.place):
            if other.serves and not other.leaves and other is not child:
                other.leaves = True
                place.ends_in_a_row = 0
                yield Say(f"process {pid} has taken over from {other.pid}")
                yield Send(other.pid, signal.SIGUSR2)
        if child.must_reload:
            yield Send(pid, signal.SIGHUP)
        if place.again:
            place.again = False
            yield Start(child.place)

    def ended(self, pid: int, status: int, now: float) -> Iterator[Action]:
        """Take note of an end. A process that is not known was somebody else's orphan."""
        child = self._children.pop(pid, None)
        if child is None:
            return
        if self._stops:
            if child.serves or not self._has_served:
                self._status = status or self._status
            if not self._children:
                yield End(self._status)
        elif child.leaves:
            if status:
                yield Say(f"process {pid}, which had been followed, {_how(status)}")
        elif child.serves:
            yield from self._lost(child, status, now)
        else:
            yield from self._failed(child, status, now)

    def stop(self, number: signal.Signals) -> Iterator[Action]:
        """Pass a signal to stop on; a second one reaches those who leave already."""
        for child in self._children.values():
            if self._stops or not child.leaves:
                child.leaves = True
                yield Send(child.pid, number)
        self._stops = True
        yield LetGo()
        if not self._children:
            yield End(self._status)

    def reload(self) -> Iterator[Action]:
        """Have the configuration read again, by those who serve and by those who will."""
        for child in self._children.values():
            if child.serves and not child.leaves:
                yield Send(child.pid, signal.SIGHUP)
            child.must_reload = not child.serves

    def restart(self) -> Iterator[Action]:
        """Start a successor in each place."""
        if self._stops:
            return
        for number, place in enumerate(self._places):
            if any(not child.serves for child in self._in(number)):
                place.again = True
                yield Say("a restart is under way; another one will follow it")
            else:
                yield Start(number)

    def due(self, now: float) -> Iterator[Action]:
        """Do what has become due."""
        for number, place in enumerate(self._places):
            if place.start_at is not None and place.start_at <= now and not self._stops:
                place.start_at = None
                yield Start(number)
        for child in self._children.values():
            if self._limit_of(child) <= now:
                child.since = now
                yield Say(f"process {child.pid} is not ready after {START_LIMIT:.0f} s and is ended")
                yield Send(child.pid, signal.SIGKILL)

    def next_due(self) -> float | None:
        """When to ask `due` again."""
        times = [place.start_at for place in self._places if place.start_at is not None]
        times += [self._limit_of(child) for child in self._children.values()]
        return min((each for each in times if each != float("inf")), default=None)

    def _lost(self, child: Child, status: int, now: float) -> Iterator[Action]:
        """Replace the one that served; connections wait in the socket meanwhile."""
        place = self._places[child.place]
        yield Say(f"process {child.pid}, which served, {_how(status)}")
        if any(not other.leaves for other in self._in(child.place)):
            return  # its successor starts already
        place.ends_in_a_row = 1 if now - child.since >= STEADY else place.ends_in_a_row + 1
        place.start_at = now + DELAYS[min(place.ends_in_a_row, len(DELAYS)) - 1]

    def _failed(self, child: Child, status: int, now: float) -> Iterator[Action]:
        """Go on without one that ended before it was ready."""
        place = self._places[child.place]
        serving = next((o for o in self._in(child.place) if o.serves and not o.leaves), None)
        if serving is not None:
            yield Say(
                f"process {child.pid} {_how(status)} before it was ready; {serving.pid} goes on serving"
            )
            if place.again:
                place.again = False
                yield Start(child.place)
            return
        place.failed_starts += 1
        if not self._has_served or place.failed_starts >= MOST_STARTS:
            self._status = status
            yield from self.stop(signal.SIGTERM)
            return
        place.start_at = now + DELAYS[place.failed_starts]
        yield Say(f"process {child.pid} {_how(status)} before it was ready; nobody serves")

    def _in(self, place: int) -> list[Child]:
        return [child for child in self._children.values() if child.place == place]

    def _limit_of(self, child: Child) -> float:
        # The very first start takes as long as it takes: whoever started it watches it.
        return child.since + START_LIMIT if self._has_served and not child.serves else float("inf")


def _how(status: int) -> str:
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
