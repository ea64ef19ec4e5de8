"""Case 32: how many failures are let through, and that none is forgotten too early or kept for ever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.auth.failures import PERIOD, REMEMBERED, Failures


def test_case_32_a_flood_is_answered_429_after_the_threshold() -> None:
    failures = Failures(100)
    waits = [failures.count(["a"], number / 1000) for number in range(1000)]
    assert waits[:100] == [0.0] * 100
    # A bucket of 100 leaks once in 0.6 s.
    assert 0 < waits[101] <= 0.6
    assert waits[100:].count(0.0) == 1
    # Another address is not held back.
    assert failures.count(["b"], 1.0) == 0


def test_after_a_minute_of_peace_all_is_forgiven() -> None:
    failures = Failures(10)
    assert [failures.count(["a"], 0.0) for _ in range(11)][-1] > 0
    assert [failures.count(["a"], PERIOD) for _ in range(10)] == [0.0] * 10


def test_whoever_waits_as_told_is_answered_401_again() -> None:
    failures = Failures(10)
    now = 0.0
    for _ in range(50):
        if wait := failures.count(["a"], now):
            now += wait
            assert failures.count(["a"], now) == 0


def test_the_memory_is_bounded_and_forgets_the_quietest_first() -> None:
    failures = Failures(1)
    failures.count(["steady"], 0.0)
    for number in range(3 * REMEMBERED):
        failures.count([number], 0.0)
        if number % 100 == 0:
            assert failures.count(["steady"], 0.0) > 0
    assert len(failures._empty_at) == REMEMBERED


def test_a_reload_keeps_what_was_counted() -> None:
    failures = Failures(10)
    for _ in range(10):
        failures.count(["a"], 0.0)
    failures.configure(5)
    assert failures.count(["a"], 0.0) > 0


@given(st.integers(1, 200), st.lists(st.floats(0, 30), max_size=200))
def test_no_minute_sees_more_than_two_minutes_worth_of_401(per_minute: int, gaps: list[float]) -> None:
    failures = Failures(per_minute)
    now, passed = 0.0, []
    for gap in gaps:
        now += gap
        if not failures.count(["a"], now):
            passed.append(now)
    for begin in passed:
        assert sum(begin <= each < begin + PERIOD for each in passed) <= 2 * per_minute
