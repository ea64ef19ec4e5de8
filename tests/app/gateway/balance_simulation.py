"""Traffic of one model in simulated time: calls arrive at random, targets answer after a while, a balancer orders."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from app.gateway.balance import Ask, Balancer, Option
from app.gateway.guard import Spent
from app.gateway.loads import Loads
from app.gateway.verdicts import SUCCESS, Verdict
from providers.types import Call, Operation, Target

FAULT = Verdict("nothing", "failure")


def target(name: str) -> Target:
    provider, _, model = name.partition("/")
    return Target(provider=provider, dialect="openai", base_url="https://x.test", model=model)


def options(*names: str, **weights: int) -> list[Option]:
    """Give options of one target each: `a` stands for `a/m`."""
    given = dict.fromkeys(names, 1) | weights
    return [Option(f"{name}/m", weight, (target(f"{name}/m"),)) for name, weight in given.items()]


def ask(*, stream: bool = True, key: str = "key", session: str = "", **body: object) -> Ask:
    fields = {"stream": stream, **body}
    return Ask(Call(Operation.CHAT, "model", fields, session=session), key)


@dataclass
class Sent:
    """One call: when, whereto, and what became of it."""

    at: float
    to: str
    busy: dict[str, int]
    """Attempts under way at each target as it was sent."""
    until_answer: float


Behaviour = Callable[[float, str, Random], tuple[float | None, float]]
"""Gives the seconds to the first event (None: it fails) and to the end, by the time and the target."""


@dataclass
class Simulation:
    """A gateway that never fails over."""

    loads: Loads
    choose: Sequence[Option]
    behaviour: Behaviour
    random: Random
    now: float = 0.0
    ends: list[tuple[float, int, str, Spent]] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)

    def run(self, balancer: Balancer, *, rate: float, seconds: float, stream: bool = True) -> list[Sent]:
        """Let calls arrive at `rate` a second; give those of this run."""
        until, before = self.now + seconds, len(self.sent)
        while (arrival := self.now + self.random.expovariate(rate)) < until:
            self._end_until(arrival)
            self.now = arrival
            self.send(balancer, stream=stream)
        self._end_until(until)
        self.now = until
        return self.sent[before:]

    def send(self, balancer: Balancer, *, stream: bool = True) -> Sent:
        first = balancer.order(self.choose, ask(stream=stream))[0]
        busy = {each.name: self.loads.of(each.targets[0]).running for each in self.choose}
        until_answer, total = self.behaviour(self.now, first.name, self.random)
        self.loads.of(first.targets[0]).begin(stream=stream)
        verdict = FAULT if until_answer is None else SUCCESS
        spent = Spent(None, None, verdict, total, until_answer, cut_short=False)
        entry = (self.now + total, len(self.sent), first.name, spent)
        heapq.heappush(self.ends, entry)
        self.sent.append(Sent(self.now, first.name, busy, until_answer or total))
        return self.sent[-1]

    def _end_until(self, when: float) -> None:
        while self.ends and self.ends[0][0] <= when:
            at, _, name, spent = heapq.heappop(self.ends)
            self.loads.of(target(name)).end(spent, at, stream=True)


def share(sent: Sequence[Sent], name: str) -> float:
    return sum(each.to == name for each in sent) / len(sent)
