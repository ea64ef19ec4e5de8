"""An event loop as arithmetic: it reads what has come, then works on it, in turns. Nobody waits for real."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from app.gateway.entrance import Capacity, Entrance, Place
from app.gateway.pulse import BUSY, IDLE
from app.limits.places import PRIORITIES, Sharing
from app.limits.throttle import Beat

SHARING = Sharing({"low": 0.7, "normal": 0.8, "high": 1.0}, 0.8)


@dataclass(frozen=True)
class Work:
    """What things cost, in seconds of the processor, and how long a provider takes."""

    begin: float = 0.0006
    finish: float = 0.0004
    refuse: float = 0.00004
    delay: float = 0.05


@dataclass
class Seen:
    """Times of what ended after the warm-up, in seconds, by who asked."""

    accepted: dict[str, list[float]] = field(default_factory=dict)
    refused: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0

    def goodput(self, who: str = "crowd") -> float:
        return len(self.accepted.get(who, [])) / self.seconds

    def p99(self, times: list[float]) -> float:
        return sorted(times)[int(len(times) * 0.99)]


Asking = tuple[str, str, Callable[[float], float]]
"""A tenant, its priority, and its rate at a time."""


def run(askers: list[Asking], seconds: float, *, work: Work | None = None, warm_up: float = 2.0) -> Seen:
    """Run one worker under an open load; places are plenty, so that only the loop is scarce."""
    costs, chance = work or Work(), random.Random(1)
    entrance = Entrance(Capacity(10_000, 0.1, SHARING, frozenset(PRIORITIES)))
    arrivals = sorted(_arrivals(askers, seconds, chance))
    seen = Seen(seconds=seconds - warm_up)
    waiting: list[tuple[float, str, Place]] = []
    answers: list[tuple[float, int, float, str, Place]] = []
    now, worked, last, planned, number = 0.0, 0.0, 0.0, IDLE, 0
    while number < len(arrivals) or answers or waiting:
        nexts = [last + planned, *(a[0] for a in arrivals[number : number + 1]), *(a[0] for a in answers[:1])]
        now = began = now if waiting else max(now, min(nexts))
        if now >= last + planned:
            entrance.tick(Beat(now - last, planned, worked, now))
            last, worked, planned = now, 0.0, BUSY if entrance.is_busy else IDLE
        for at, who, place in waiting:
            now += costs.begin
            heapq.heappush(answers, (now + costs.delay, len(answers) + number, at, who, place))
        waiting, reads_until = [], now
        while number < len(arrivals) and arrivals[number][0] <= reads_until:
            at, who, priority = arrivals[number]
            number += 1
            verdict = entrance.admit(who, priority)
            now += costs.refuse
            if isinstance(verdict, Place):
                waiting.append((at, who, verdict))
            elif at >= warm_up:
                seen.refused.setdefault(who, []).append(now - at)
        while answers and answers[0][0] <= reads_until:
            _, _, at, who, place = heapq.heappop(answers)
            now += costs.finish
            place.give_back()
            if at >= warm_up:
                seen.accepted.setdefault(who, []).append(now - at)
        worked += now - began
    assert entrance.under_way == 0
    return seen


def _arrivals(askers: list[Asking], seconds: float, chance: random.Random) -> list[tuple[float, str, str]]:
    found = []
    for who, priority, rate in askers:
        at = 0.0
        while at < seconds:
            found.append((at, who, priority))
            at += chance.expovariate(rate(at))
    return found
