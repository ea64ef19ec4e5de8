"""The sliding window against a list of everything that was admitted."""

from __future__ import annotations

import tracemalloc
from copy import deepcopy
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.limits.windows import PRECISION, Window
from tests.app.limits.oracle import Admitted, ExactWindow

LENGTHS = st.sampled_from([60.0, 86_400.0])
STEPS = st.one_of(
    st.integers(0, 400).map(lambda ms: ms / 1_000),
    st.integers(0, 100).map(lambda slots: slots * 0.05),
    st.floats(0, 70),
    st.sampled_from([59.95, 60.0, 60.05, 59.999999, 72.0, 86_400.0]),
)
EPSILON = 1e-6


class WindowAgainstList(RuleBasedStateMachine):
    """Whatever is taken and settled when, the sum is the list's, or that of a list that forgets one slot later."""

    def __init__(self) -> None:
        super().__init__()
        self.length = 60.0
        self.now = 1_000.0
        self.window = Window(self.length)
        self.exact = ExactWindow(self.length)
        self.open: list[tuple[object, Admitted]] = []

    @rule(step=STEPS)
    def time_passes(self, step: float) -> None:
        self.now += step

    @rule(amount=st.integers(0, 1_000))
    def take(self, amount: int) -> None:
        self.open.append((self.window.take(amount, self.now), self.exact.take(amount, self.now)))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), real=st.integers(0, 2_000))
    def settle(self, data: st.DataObject, real: int) -> None:
        entry, admitted = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        self.window.settle(entry, real, self.now)  # type: ignore[arg-type]  # the list holds what `take` gave
        self.exact.settle(admitted, real, self.now)

    @invariant()
    def never_early_and_at_most_one_slot_late(self) -> None:
        late = self.length / PRECISION + EPSILON
        assert self.exact.used(self.now) <= self.window.used(self.now) <= self.exact.used(self.now, late)

    @invariant()
    def room_comes_no_later_than_one_slot(self) -> None:
        capacity = 1_500
        for amount in (1, 700, 1_500):
            at = self.window.room_at(amount, capacity, self.now)
            assert at is not None
            assert deepcopy(self.window).used(at) + amount <= capacity
            first = self.exact.free_at(amount, capacity, self.now)
            assert first - EPSILON <= at <= first + self.length / PRECISION + EPSILON


def test_window_against_list() -> None:
    run_state_machine_as_test(WindowAgainstList, settings=settings(max_examples=60, stateful_step_count=30))


@given(
    length=LENGTHS,
    start=st.floats(0, 1e7),
    asks=st.lists(
        st.tuples(STEPS, st.integers(1, 60), st.integers(0, 60), st.floats(0, 80)), min_size=1, max_size=80
    ),
)
def test_case_100_no_interval_at_any_offset_holds_more_than_the_limit(
    length: float, start: float, asks: list[tuple[float, int, int, float]]
) -> None:
    window, capacity = Window(length), 100
    admitted: list[Admitted] = []
    settlements: list[tuple[float, int, object, Admitted]] = []
    times = accumulate((step * length / 60 for step, *_ in asks), initial=start)
    for now, (_, amount, real, duration) in zip(times, asks, strict=False):
        for due, spent, entry, mine in [each for each in settlements if each[0] <= now]:
            if due - mine.at < length:
                mine.amount = spent
            window.settle(entry, spent, due)  # type: ignore[arg-type]  # the list holds what `take` gave
        settlements = [each for each in settlements if each[0] > now]
        if window.room_at(amount, capacity, now) == now:
            mine = Admitted(now, amount)
            admitted.append(mine)
            settlements.append((now + duration, min(real, amount), window.take(amount, now), mine))
    for end in admitted:
        inside = sum(each.amount for each in admitted if end.at - length < each.at <= end.at)
        assert inside <= capacity


def test_an_empty_window_has_room_at_once() -> None:
    assert Window(60.0).room_at(100, 100, 5.0) == 5.0


def test_more_than_the_whole_limit_never_fits() -> None:
    assert Window(60.0).room_at(101, 100, 5.0) is None


def test_nothing_fits_even_beside_a_debt() -> None:
    window = Window(60.0)
    window.settle(window.take(10, 0.0), 500, 1.0)
    assert window.room_at(0, 100, 2.0) == 2.0
    assert window.room_at(1, 100, 2.0) != 2.0


def test_a_settlement_in_the_window_moves_the_sum_and_not_the_time() -> None:
    window = Window(60.0)
    entry = window.take(500, 10.0)
    window.settle(entry, 80, 40.0)
    assert window.used(40.0) == 80
    assert window.used(70.0 - 0.001) == 80
    assert window.used(70.051) == 0


def test_after_the_window_a_debt_is_new_and_a_refund_is_nothing() -> None:
    window = Window(60.0)
    more, less = window.take(100, 0.0), window.take(100, 0.0)
    window.settle(more, 130, 90.0)
    window.settle(less, 20, 90.0)
    assert window.used(90.0) == 30
    assert window.used(149.9) == 30
    assert window.used(150.051) == 0


def test_a_refund_that_comes_as_its_entry_leaves_does_not_lend_capacity() -> None:
    window = Window(60.0)
    entry = window.take(100, 0.049)
    assert window.used(60.049) == 100, "leaves with its slot, a millisecond from now"
    window.settle(entry, 0, 60.049)
    assert window.used(60.049) == 100
    assert window.used(60.051) == 0


@pytest.mark.parametrize("nonsense", [-1, -(10**12)])
def test_a_negative_count_of_a_provider_lends_nothing(nonsense: int) -> None:
    window = Window(60.0)
    window.settle(window.take(100, 0.0), nonsense, 1.0)
    assert window.used(1.0) == 0


def test_case_119_a_clock_that_steps_back_loses_nothing() -> None:
    window = Window(60.0)
    window.take(10, 100.0)
    entry = window.take(5, 99.0)
    assert window.used(99.0) == window.used(100.0) == 15
    window.settle(entry, 7, 98.0)
    assert window.used(159.9) == 17
    assert window.used(160.051) == 0


def test_a_settlement_dated_before_its_entry_left_lends_nothing() -> None:
    window = Window(60.0)
    entry = window.take(100, 0.0)
    assert window.used(61.0) == 0
    window.settle(entry, 0, 59.0)
    assert window.used(61.0) == 0


def test_memory_does_not_grow_with_the_number_of_calls() -> None:
    window = Window(60.0)
    for call in range(60_000):
        window.take(1, call / 1_000)
    tracemalloc.start()
    for call in range(60_000, 120_000):
        window.take(1, call / 1_000)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert window.used(120.0) in range(60_000, 60_051)
    assert grown < 300_000, "1,201 slots, however many calls"
