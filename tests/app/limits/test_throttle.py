"""Calls that the event loop cannot bear are refused; those that it takes are fast. Time is arithmetic here."""

from __future__ import annotations

import random

import pytest

from app.limits.throttle import Beat, Throttle
from tests.app.limits.turns import Work, run

CAPACITY = 1_000
"""Calls a second that the simulated loop can bear: each takes a millisecond."""
SECONDS = 5.0


def crowd(times: float):
    return ("crowd", "normal", lambda _: times * CAPACITY)


@pytest.fixture(scope="module")
def unloaded() -> float:
    seen = run([crowd(0.1)], SECONDS)
    assert not seen.refused
    return seen.p99(seen.accepted["crowd"])


@pytest.mark.parametrize(("times", "kept"), [(1.5, 0.9), (3, 0.85), (10, 0.55)])
def test_f18_under_overload_what_is_accepted_stays_fast(times: float, kept: float, unloaded: float) -> None:
    """What is kept is less than all by what the refusals themselves cost: 40 µs each."""
    seen = run([crowd(times)], SECONDS)
    assert seen.goodput() >= kept * CAPACITY
    assert seen.p99(seen.accepted["crowd"]) <= 2 * unloaded + 0.05
    assert seen.p99(seen.refused["crowd"]) <= 0.05


def test_no_call_is_refused_while_the_loop_keeps_up() -> None:
    seen = run([crowd(0.9)], SECONDS)
    assert not seen.refused
    assert seen.goodput() >= 0.85 * CAPACITY


def test_it_recovers_within_two_seconds_after_the_load_drops() -> None:
    seen = run([("crowd", "normal", lambda at: 10_000 if at < 2 else 500)], 6.0, warm_up=4.0)
    assert not seen.refused
    assert seen.p99(seen.accepted["crowd"]) < 0.08


def test_a_high_priority_and_a_small_tenant_are_served_in_a_flood() -> None:
    seen = run([crowd(5), ("critical", "high", lambda _: 50), ("small", "normal", lambda _: 20)], SECONDS)
    for who, share in (("critical", 0.99), ("small", 0.9)):
        accepted, refused = len(seen.accepted[who]), len(seen.refused.get(who, []))
        assert accepted >= share * (accepted + refused), who
    assert len(seen.refused["crowd"]) > len(seen.accepted["crowd"])


def test_low_is_shed_first() -> None:
    seen = run([("batch", "low", lambda _: 1_000), ("crowd", "normal", lambda _: 1_000)], SECONDS)
    assert seen.goodput("crowd") > 4 * seen.goodput("batch")


def test_a_stall_that_is_not_the_calls_own_costs_few_of_them() -> None:
    """The machine was busy with something else: the loop was late and had hardly any of the processor."""
    throttle = Throttle(0.1)
    for _ in range(100):
        throttle.begun = 10
        throttle.tick(Beat(0.012, 0.01, 0.009, 0.0))
    throttle.begun = 10
    throttle.tick(Beat(0.5, 0.01, 0.009, 0.0))
    assert throttle.allowance >= 5, "calls in the next tick: 500 a second"
    for _ in range(100):
        throttle.tick(Beat(0.01, 0.01, 0.001, 0.0))
    assert not throttle.is_pressed


def test_low_alone_may_use_all_there_is() -> None:
    assert run([("batch", "low", lambda _: 3_000)], SECONDS).goodput("batch") >= 0.85 * CAPACITY


def test_calls_wait_for_nothing_but_their_provider_where_the_burst_is_short() -> None:
    seen = run([("crowd", "normal", lambda at: 4_000 if 2.5 < at < 2.53 else 100)], SECONDS, work=Work())
    assert not seen.refused


def test_whatever_the_beats_are_some_calls_may_begin_sooner_or_later() -> None:
    chance, throttle = random.Random(3), Throttle(0.1)
    for _ in range(2_000):
        elapsed = chance.choice([0.01, 0.02, 0.2, 2.0])
        throttle.begun = chance.randrange(50)
        throttle.tick(Beat(elapsed, 0.01, elapsed * chance.random(), 0.0))
        assert throttle.allowance > 0
    for _ in range(200):
        throttle.tick(Beat(0.01, 0.01, 0.0, 0.0))
    assert throttle.allowance > 10
