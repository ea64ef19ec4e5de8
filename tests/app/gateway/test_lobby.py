"""Waiting a moment for a place: the newest first, never past its time, and nobody who has left."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from app.gateway.entrance import Capacity, Entrance, Place
from app.gateway.lobby import MOST, Lobby, Patience
from app.limits.places import PRIORITIES, Reason, Sharing

SHARING = Sharing({"low": 1.0, "normal": 1.0, "high": 1.0}, 1.0)


@dataclass
class Timers:
    """A loop's timers, rung by hand."""

    now: float = 0.0
    due: list[tuple[float, int, Ring]] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Ring:
        ring = Ring(callback)
        heapq.heappush(self.due, (self.now + delay, next(self.numbers), ring))
        return ring

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        while self.due and self.due[0][0] <= self.now:
            ring = heapq.heappop(self.due)[2]
            if not ring.cancelled:
                ring.callback()


@dataclass
class Ring:
    callback: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class House:
    max_wait: float = 1.0
    places: int = 1
    log: list[str] = field(default_factory=list)
    held: dict[str, Place] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.timers = Timers()
        entrance = Entrance(Capacity(self.places, 60.0, SHARING, frozenset(PRIORITIES)))
        self.lobby = Lobby(entrance, self.timers, self.max_wait)

    def ask(self, name: str, priority: str = "normal") -> None:
        def begin(place: Place) -> None:
            self.held[name] = place
            self.log.append(name)

        def keep_out(reason: Reason) -> None:
            self.log.append(f"{name}: {reason}")

        verdict = self.lobby.ask(name, priority)
        if isinstance(verdict, Place):
            begin(verdict)
        elif isinstance(verdict, Patience):
            self.lobby.wait(verdict, begin, keep_out)
        else:
            keep_out(verdict)

    def leave(self, name: str) -> None:
        self.lobby.leave(self.held.pop(name))


def test_the_newest_goes_first_and_the_highest_before_it() -> None:
    house = House()
    for name, priority in (("a", "normal"), ("b", "normal"), ("c", "high"), ("d", "low"), ("e", "normal")):
        house.ask(name, priority)
    for _ in range(4):
        house.leave(house.log[-1])
    assert house.log == ["a", "c", "e", "b", "d"]
    assert len(house.lobby) == 0


def test_whoever_has_waited_long_enough_is_refused_and_only_once() -> None:
    house = House(max_wait=0.5)
    house.ask("a")
    house.ask("b")
    house.timers.pass_by(0.4)
    house.ask("c")
    house.timers.pass_by(0.2)
    assert house.log == ["a", "b: total"]
    house.leave("a")
    house.timers.pass_by(10)
    assert house.log == ["a", "b: total", "c"]


def test_without_waiting_the_refusal_comes_at_once() -> None:
    house = House(max_wait=0.0)
    house.ask("a")
    house.ask("b")
    assert house.log == ["a", "b: total"]


@pytest.mark.parametrize("share", [0.96])
def test_nobody_waits_for_memory(share: float) -> None:
    house = House()
    house.lobby.entrance.note_memory(share)
    house.ask("a", "high")
    assert house.log == ["a: memory"]


def test_so_many_may_wait_and_no_more() -> None:
    house = House()
    for number in range(MOST + 3):
        house.ask(str(number))
    assert len(house.lobby) == MOST
    assert house.log == ["0", f"{MOST + 1}: total", f"{MOST + 2}: total"]
