"""What one process has opened, the others leave alone for a moment; closing is everyone's own."""

from __future__ import annotations

import random

from app.config.resilience import BreakerSettings
from app.gateway.breaker_hints import BreakerHints
from app.gateway.breakers import Breakers, Permits
from app.gateway.permit import Barred
from app.gateway.verdicts import Verdict
from app.state.membership import Membership
from tests.harness.shared import join, membership_of
from tests.harness.valkey import Valkey

FAULT = Verdict("success", "failure")


class Process:
    def __init__(self, valkey: Valkey) -> None:
        self.now = 100.0
        self.breakers = Breakers({"acme": BreakerSettings()}, random.Random(1).random)
        self.membership: Membership = membership_of(valkey.url)
        self.hints = BreakerHints(self.breakers, self.membership, lambda: self.now)
        self.membership.participants.append(self.hints)

    def passes(self, model: str = "large") -> bool:
        admitted = self.breakers.admit("acme", model, self.now)
        if isinstance(admitted, Permits):
            admitted.provider.release(self.now)
            admitted.model.release(self.now)
        return not isinstance(admitted, Barred)

    def fail(self, times: int) -> None:
        for _ in range(times):
            admitted = self.breakers.admit("acme", "large", self.now)
            assert isinstance(admitted, Permits)
            admitted.end(FAULT, self.now)

    async def beat(self) -> None:
        await self.membership._stay()


async def test_what_one_has_opened_the_others_leave_alone_for_a_moment(valkey: Valkey) -> None:
    valkey.run("FLUSHALL")
    failing, other = Process(valkey), Process(valkey)
    for process in (failing, other):
        await join(process.membership)
    failing.fail(5)
    await failing.beat()
    assert other.passes()
    await other.beat()
    assert not other.passes()
    assert other.passes("small"), "another model is another matter"
    assert next(other.breakers.standings(other.now)).snapshot.state == "closed"
    other.now += 3.1
    assert other.passes(), "a hint that is not told again ends"

    failing.breakers.reset("acme")
    await failing.beat()
    for process in (failing, other):
        await process.membership.leave()


async def test_who_probes_is_not_held_up_by_others(valkey: Valkey) -> None:
    valkey.run("FLUSHALL")
    first, second = Process(valkey), Process(valkey)
    for process in (first, second):
        await join(process.membership)
        process.fail(5)
        await process.beat()
    await first.beat()
    first.now += 5.0
    assert first.passes(), "its own probe"
    for process in (first, second):
        await process.membership.leave()
