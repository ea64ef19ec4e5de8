"""Several limits at once, against exact lists: all or none, never over, settled once, back to nothing.

The same for limits in memory and for those in Redis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.limits.ask import Amounts, Limit, Refusal
from app.limits.kinds import RULES, LimitKind
from app.limits.windows import PRECISION
from tests.app.limits.oracle import Admitted, ExactGauge, ExactWindow, exact
from tests.app.limits.stores import InCrew, InMemory, InValkey, Store
from tests.harness.crew import start_crew
from tests.harness.sharer import Sharer
from tests.harness.valkey import Valkey

EPSILON = 1e-6
SUBJECTS = ["key:ci", "model:fast", "credential:openai/0"]
CAPACITIES = {
    LimitKind.RPM: 4,
    LimitKind.RPD: 12,
    LimitKind.TPM: 1_000,
    LimitKind.ITPM: 700,
    LimitKind.OTPM: 500,
    LimitKind.CONCURRENCY: 3,
}
LIMITS = [Limit(subject, kind, capacity) for subject in SUBJECTS for kind, capacity in CAPACITIES.items()]
AMOUNTS = st.builds(Amounts, st.just(1), st.integers(0, 750), st.integers(0, 550))
REAL = st.builds(Amounts, st.just(1), st.integers(0, 900), st.integers(0, 900))


class Held:
    """A hold, and what the lists have for it."""

    def __init__(self, hold: Any, asked: Amounts, entries: list[tuple[Limit, Admitted]]) -> None:
        self.hold = hold
        self.asked = asked
        self.entries = entries


def slot(limit: Limit) -> float:
    return (limit.rule.length or 0.0) / PRECISION


def wants(limit: Limit, amounts: Amounts) -> int:
    return amounts.of(RULES[limit.kind].counts)


class LimitsAgainstLists(RuleBasedStateMachine):
    def __init__(self, store: Callable[[], Store] = InMemory) -> None:
        super().__init__()
        self.now = 0.0
        self.limits = store()
        self.exact: dict[Limit, ExactWindow | ExactGauge] = {
            limit: exact(limit, self.limits.digits) for limit in LIMITS
        }
        self.open: list[Held] = []
        self.settled: list[Held] = []

    @initialize(start=st.floats(0, 1e6))
    def begin(self, start: float) -> None:
        self.now = start

    @rule(
        step=st.one_of(
            st.integers(0, 30_000).map(lambda ms: ms / 1_000), st.sampled_from([0.05, 60.0, 86_400.0])
        )
    )
    def time_passes(self, step: float) -> None:
        self.now += step

    @rule(asked=AMOUNTS, limits=st.lists(st.sampled_from(LIMITS), min_size=1, max_size=6, unique=True))
    def ask(self, asked: Amounts, limits: list[Limit]) -> None:
        before = self.limits.standings(LIMITS, self.now)
        answer = self.limits.take(limits, asked, self.now)
        if isinstance(answer, Refusal):
            assert self.limits.standings(LIMITS, self.now) == before, "a refused ask consumes nothing"
            self.was_due(answer, limits, asked)
        else:
            self.was_allowed(limits, asked)
            entries = [(each, self.exact[each].take(wants(each, asked), self.now)) for each in limits]
            self.open.append(Held(answer, asked, entries))

    def was_allowed(self, limits: list[Limit], asked: Amounts) -> None:
        for each in limits:
            amount = wants(each, asked)
            assert amount == 0 or self.exact[each].used(self.now) + amount <= each.capacity

    def was_due(self, refusal: Refusal, limits: list[Limit], asked: Amounts) -> None:
        late = slot(refusal.limit) + EPSILON
        assert refusal.limit in limits
        assert refusal.asked == wants(refusal.limit, asked)
        assert self.exact[refusal.limit].used(self.now) <= refusal.used
        assert refusal.used <= self.exact[refusal.limit].used(self.now, late)
        assert refusal.used + refusal.asked > refusal.limit.capacity
        if any(wants(each, asked) > each.capacity for each in limits):
            assert refusal.retry_after is None
            return
        assert refusal.retry_after is not None
        full = [each for each in limits if isinstance(self.exact[each], ExactGauge)]
        if any(self.exact[each].used(self.now) >= each.capacity for each in full):
            return
        self.wait_is_exact(refusal.retry_after, limits, asked)

    def wait_is_exact(self, wait: float, limits: list[Limit], asked: Amounts) -> None:
        assert self.limits.would_take(limits, asked, self.now + wait)
        for early in (0.0005, 0.05):
            if wait > early:
                assert not self.limits.would_take(limits, asked, self.now + wait - early)
        first = {
            each: window.free_at(wants(each, asked), each.capacity, self.now) - self.now
            for each in limits
            if isinstance(window := self.exact[each], ExactWindow)
        }
        assert (
            max(first.values()) - EPSILON
            <= wait
            <= max(t + slot(each) for each, t in first.items()) + EPSILON
        )

    @precondition(lambda self: self.open)
    @rule(data=st.data(), real=st.none() | REAL, refund_requests=st.booleans())
    def settle(self, data: st.DataObject, real: Amounts | None, *, refund_requests: bool) -> None:
        held = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        self.limits.settle(held.hold, real, self.now, refund_requests=refund_requests)
        truth = real or Amounts(0 if refund_requests else 1, 0, 0)
        for limit, entry in held.entries:
            self.exact[limit].settle(entry, wants(limit, truth), self.now)
        self.settled.append(held)

    @precondition(lambda self: self.settled)
    @rule(data=st.data(), real=st.none() | REAL)
    def settle_again(self, data: st.DataObject, real: Amounts | None) -> None:
        before = self.limits.standings(LIMITS, self.now)
        held = data.draw(st.sampled_from(self.settled))
        self.limits.settle(held.hold, real, self.now, refund_requests=True)
        assert self.limits.standings(LIMITS, self.now) == before

    @invariant()
    def what_is_left_is_what_the_lists_leave(self) -> None:
        for standing in self.limits.standings(LIMITS, self.now):
            limit, window = standing.limit, self.exact[standing.limit]
            late = slot(limit) + EPSILON
            assert standing.remaining <= max(0, limit.capacity - window.used(self.now))
            assert standing.remaining >= max(0, limit.capacity - window.used(self.now, late))

    def teardown(self) -> None:
        for held in self.open:
            self.limits.settle(held.hold, None, self.now)
        end = self.now + 2 * 86_400.0 + 1
        assert [each.remaining for each in self.limits.standings(LIMITS, end)] == [
            each.capacity for each in LIMITS
        ]
        self.limits.close(end)


def test_limits_against_lists() -> None:
    run_state_machine_as_test(LimitsAgainstLists, settings=settings(max_examples=80, stateful_step_count=30))


def test_shared_limits_against_lists(valkey: Valkey) -> None:
    """A few runs; the longer suite has many."""
    against_lists(lambda: InValkey(valkey), max_examples=6, stateful_step_count=20)


def test_a_refund_a_window_later_is_none_though_the_floats_lie_before_it(valkey: Valkey) -> None:
    """Both count alike where the difference of two times comes out as less than the day that it is."""
    machine = LimitsAgainstLists(lambda: InValkey(valkey))
    machine.begin(437_888.065)
    daily = Limit("key:ci", LimitKind.RPD, 12)
    machine.ask(limits=[daily], asked=Amounts(1, 0, 0))
    machine.time_passes(86_400.0)
    (held,) = machine.open
    machine.limits.settle(held.hold, None, machine.now, refund_requests=True)
    for limit, entry in held.entries:
        machine.exact[limit].settle(entry, 0, machine.now)
    machine.open.clear()
    machine.what_is_left_is_what_the_lists_leave()
    machine.teardown()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_shared_limits_against_lists_at_length(valkey: Valkey) -> None:
    against_lists(lambda: InValkey(valkey), max_examples=100, stateful_step_count=40)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_limits_of_four_processes_against_lists(valkey: Valkey) -> None:
    with start_crew(Sharer) as crew:
        against_lists(lambda: InCrew(valkey, crew), max_examples=60, stateful_step_count=40)


def against_lists(store: Callable[[], Store], **length: int) -> None:
    run_state_machine_as_test(
        lambda: LimitsAgainstLists(store),  # type: ignore[arg-type] - it makes one
        settings=settings(**length),  # type: ignore[arg-type] - numbers all
    )
