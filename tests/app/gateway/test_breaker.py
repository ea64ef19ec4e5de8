"""The breaker: when it opens, who may probe, and how it comes back. Reliability cases 88, 89."""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import pairwise
from random import Random

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

from app.config.resilience import BreakerSettings
from app.gateway.breaker import LEASE, Breaker
from app.gateway.permit import Barred, Permit
from tests.app.gateway.breaker_oracle import Asked, Chance, Oracle

DEFAULT = BreakerSettings()


def passing(breaker: Breaker, now: float, luck: float | None = 0.0) -> Permit:
    """Give the permit of a call that must pass."""
    permit = breaker.admit(now, luck)
    assert isinstance(permit, Permit)
    return permit


def wait_of(breaker: Breaker, now: float, luck: float | None = None) -> float:
    """Give the wait of a call that must not pass."""
    barred = breaker.admit(now, luck)
    assert isinstance(barred, Barred)
    return barred.retry_after


def opened(breaker: Breaker, now: float) -> Breaker:
    """Let it fail until it opens."""
    for _ in range(5):
        passing(breaker, now).fail(now)
    assert breaker.snapshot(now).state == "open"
    return breaker


def closed_again(breaker: Breaker, now: float) -> Breaker:
    """Let two probes succeed."""
    for _ in range(2):
        passing(breaker, now).succeed(now)
    assert breaker.snapshot(now).state == "closed"
    return breaker


class BreakerAgainstOracle(RuleBasedStateMachine):
    """Whatever is asked and ends how and when, the breaker does what its whole story says."""

    settings = BreakerSettings(consecutive=4, min_calls=6, failure_ratio=Decimal("0.6"), max_open=30.0)

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self.chance = Chance()
        self.breaker = Breaker(self.settings, self.chance)
        self.oracle = Oracle(self.settings)
        self.running: list[tuple[Permit, Asked]] = []
        self.finished: list[Permit] = []

    @rule(
        step=st.one_of(
            st.floats(0, 3),
            st.integers(0, 40).map(lambda count: count * 0.25),
            st.sampled_from([4.0, 5.0, 10.0, 30.0, 119.9, LEASE]),
        )
    )
    def time_passes(self, step: float) -> None:
        self.now += step

    @rule(luck=st.floats(0, 1, exclude_max=True), given_by_caller=st.booleans(), count=st.integers(1, 4))
    def ask(self, luck: float, given_by_caller: bool, count: int) -> None:
        self.chance.next = 0.0 if given_by_caller else luck
        for _ in range(count):
            expected = self.oracle.passes(self.now, luck)
            answer = self.breaker.admit(self.now, luck if given_by_caller else None)
            assert isinstance(answer, Permit) == expected
            if isinstance(answer, Permit):
                self.running.append((answer, self.oracle.asked(self.now)))
            else:
                assert 0 < answer.retry_after <= self.settings.max_open

    @precondition(lambda self: self.running)
    @rule(
        data=st.data(),
        mark=st.sampled_from(["failure", "failure", "success", "nothing"]),
        luck=st.floats(0, 1, exclude_max=True),
    )
    def end(self, data: st.DataObject, mark: str, luck: float) -> None:
        permit, asked = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        self.chance.next = luck
        permit.end(mark, self.now)  # type: ignore[arg-type]  # the strategy gives marks alone
        self.oracle.ended(asked, mark, self.now, luck)
        self.finished.append(permit)

    @precondition(lambda self: self.finished)
    @rule(data=st.data())
    def end_again(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.finished)).fail(self.now)

    @precondition(lambda self: self.oracle.state(self.now) == "open")
    @rule()
    def wait_until_it_has_rested(self) -> None:
        self.now = self.oracle.opened[-1][1]

    @invariant()
    def it_stands_as_it_should(self) -> None:
        snapshot = self.breaker.snapshot(self.now)
        assert snapshot.state == self.oracle.state(self.now)
        assert (snapshot.probe_in is not None) == (snapshot.state == "open")
        if snapshot.probe_in is not None:
            assert self.now + snapshot.probe_in == pytest.approx(self.oracle.opened[-1][1])


@pytest.mark.slow
def test_breaker_against_oracle() -> None:
    run_state_machine_as_test(
        BreakerAgainstOracle, settings=settings(max_examples=150, stateful_step_count=60)
    )


def test_case_88_five_failures_in_a_row_open_it_and_the_sixth_waits_the_time_that_is_left() -> None:
    chance = Chance(0.0)
    breaker = Breaker(DEFAULT, chance)
    sent = 0
    for _ in range(50):
        answer = breaker.admit(100.0)
        if isinstance(answer, Permit):
            sent += 1
            answer.fail(100.0)
    assert sent == 5
    assert wait_of(breaker, 102.0) == 3.0
    assert isinstance(breaker.admit(105.0), Permit)


def test_a_success_between_failures_starts_the_count_anew() -> None:
    breaker = Breaker(DEFAULT, Chance())
    for _ in range(3):
        for _ in range(4):
            passing(breaker, 1.0).fail(1.0)
        passing(breaker, 1.0).succeed(1.0)
    assert breaker.snapshot(1.0).state == "closed"


@pytest.mark.parametrize("seed", range(20))
def test_case_89_six_of_ten_failing_open_it_within_its_window(seed: int) -> None:
    random = Random(seed)
    # Too many in a row never come, so that the ratio alone can open it.
    breaker = Breaker(BreakerSettings(consecutive=1_000), Chance())
    now = 0.0
    while breaker.snapshot(now).state == "closed":
        now += 0.01
        permit = passing(breaker, now)
        (permit.fail if random.random() < 0.6 else permit.succeed)(now)
    assert now < DEFAULT.window


def test_case_89_two_calls_an_hour_of_which_one_fails_never_open_it() -> None:
    breaker = Breaker(DEFAULT, Chance())
    for hour in range(10_000):
        passing(breaker, hour * 3600.0).fail(hour * 3600.0)
        passing(breaker, hour * 3600.0 + 1).succeed(hour * 3600.0 + 1)
    assert breaker.snapshot(3.6e7).openings == 0


def test_the_ratio_is_exact() -> None:
    breaker = Breaker(BreakerSettings(consecutive=1_000, failure_ratio=Decimal("0.55")), Chance())
    for _ in range(9):
        passing(breaker, 0.0).succeed(0.0)
    for _ in range(10):
        passing(breaker, 0.0).fail(0.0)
    assert breaker.snapshot(0.0).state == "closed", "19 calls are too few to judge"
    passing(breaker, 0.0).fail(0.0)
    assert breaker.snapshot(0.0).state == "open", "11 of 20 are 0.55"


def test_a_success_never_opens_it() -> None:
    breaker = Breaker(BreakerSettings(consecutive=1_000), Chance())
    for _ in range(19):
        passing(breaker, 0.0).fail(0.0)
    passing(breaker, 0.0).succeed(0.0)
    assert breaker.snapshot(0.0).state == "closed"


def test_calls_that_have_left_the_window_count_no_more() -> None:
    breaker = Breaker(BreakerSettings(consecutive=1_000), Chance())
    for _ in range(19):
        passing(breaker, 0.0).fail(0.0)
    passing(breaker, 10.0).fail(10.0)
    assert breaker.snapshot(10.0).state == "closed"
    assert breaker.snapshot(10.0).ratio == 1.0


@pytest.mark.parametrize("luck", [0.0, 0.5, math.nextafter(1.0, 0.0)])
def test_each_opening_without_recovery_is_twice_as_long_up_to_the_longest(luck: float) -> None:
    chance = Chance(luck)
    breaker, now = opened(Breaker(DEFAULT, chance), 0.0), 0.0
    waits = []
    for _ in range(2_000):
        waits.append(wait_of(breaker, now))
        now += waits[-1] + 0.001
        passing(breaker, now).fail(now)
    full = [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, *[300.0] * (len(waits) - 6)]
    assert waits == pytest.approx([each * (1 - 0.2 * luck) for each in full])


def test_two_successful_probes_close_it_and_one_does_not() -> None:
    breaker = opened(Breaker(DEFAULT, Chance()), 0.0)
    passing(breaker, 5.0).succeed(5.0)
    assert breaker.snapshot(5.0).state == "half_open"
    passing(breaker, 5.0).succeed(5.0)
    assert breaker.snapshot(5.0).state == "closed"
    assert breaker.snapshot(5.0).consecutive == 0


def test_a_probe_keeps_all_others_out_until_it_ends() -> None:
    breaker = opened(Breaker(DEFAULT, Chance()), 0.0)
    probe = passing(breaker, 5.0)
    assert all(0 < wait_of(breaker, 5.0 + each) <= 1.0 for each in range(119))
    probe.succeed(124.0)
    passing(breaker, 124.0)
    assert wait_of(breaker, 124.0) == 1.0


def test_a_probe_whose_client_leaves_frees_its_place_and_counts_nothing() -> None:
    breaker = opened(Breaker(DEFAULT, Chance()), 0.0)
    for _ in range(1_000):
        passing(breaker, 5.0).release(5.0)
    assert breaker.snapshot(5.0).state == "half_open"
    assert breaker.snapshot(5.0).openings == 1
    closed_again(breaker, 5.0)


def test_a_probes_lease_ends_and_what_it_tells_later_counts_only_if_no_other_took_its_place() -> None:
    breaker = opened(Breaker(DEFAULT, Chance()), 0.0)
    lost = passing(breaker, 5.0)
    assert 0 < wait_of(breaker, 5.0 + LEASE - 0.25) <= 0.25
    second = passing(breaker, 5.0 + LEASE)
    lost.fail(5.0 + LEASE)
    assert breaker.snapshot(5.0 + LEASE).state == "half_open"
    second.fail(5.0 + 2 * LEASE)
    assert breaker.snapshot(5.0 + 2 * LEASE).state == "open"


def test_calls_from_before_it_opened_tell_nothing_of_after() -> None:
    breaker = Breaker(DEFAULT, Chance())
    slow = [passing(breaker, 0.0) for _ in range(100)]
    opened(breaker, 0.0)
    for permit in slow[:20]:
        permit.succeed(1.0)
    assert breaker.snapshot(1.0).state == "open"
    probe = passing(breaker, 5.0)
    for permit in slow[20:60]:
        permit.fail(5.0)
    assert wait_of(breaker, 5.0) == 1.0, "the probe still holds its place"
    probe.succeed(5.0)
    passing(breaker, 5.0).succeed(5.0)
    for permit in slow[60:]:
        permit.fail(16.0)
    assert breaker.snapshot(16.0).state == "closed"
    assert breaker.snapshot(16.0).openings == 1


@pytest.mark.parametrize(("since", "share"), [(0.0, 0.1), (2.5, 0.325), (5.0, 0.55), (9.0, 0.91)])
def test_after_closing_calls_come_back_bit_by_bit(since: float, share: float) -> None:
    random = Random(7)
    breaker = closed_again(opened(Breaker(DEFAULT, random.random), 0.0), 5.0)
    passed = 0
    for _ in range(10_000):
        answer = breaker.admit(5.0 + since)
        if isinstance(answer, Permit):
            passed += 1
            answer.succeed(5.0 + since)
        else:
            assert 0 < answer.retry_after <= 10.0 - since
    assert passed / 10_000 == pytest.approx(share, abs=0.02)


def test_ten_seconds_after_closing_every_call_passes() -> None:
    breaker = closed_again(opened(Breaker(DEFAULT, Chance()), 0.0), 5.0)
    passing(breaker, 15.0, math.nextafter(1.0, 0.0))


def test_who_fails_while_coming_back_is_left_alone_for_longer_and_who_came_back_is_not() -> None:
    breaker = closed_again(opened(Breaker(DEFAULT, Chance()), 0.0), 5.0)
    assert wait_of(opened(breaker, 14.75), 14.75) == 10.0
    closed_again(breaker, 30.0)
    assert wait_of(opened(breaker, 40.0), 40.0) == 5.0


def test_a_permit_ends_once() -> None:
    breaker = Breaker(BreakerSettings(consecutive=2), Chance())
    permit = passing(breaker, 0.0)
    for _ in range(10):
        permit.fail(0.0)
        permit.succeed(0.0)
    assert breaker.snapshot(0.0).consecutive == 1


def test_reset_closes_it_at_once_and_for_every_call() -> None:
    breaker = Breaker(DEFAULT, Chance())
    slow = [passing(breaker, 0.0) for _ in range(10)]
    opened(breaker, 0.0)
    breaker.reset()
    for permit in slow:
        permit.fail(0.1)
    passing(breaker, 0.1, 0.99)
    snapshot = breaker.snapshot(0.1)
    assert (snapshot.state, snapshot.consecutive, snapshot.ratio) == ("closed", 0, None)
    assert (snapshot.probe_in, snapshot.openings) == (None, 1)
    assert wait_of(opened(breaker, 1.0), 1.0) == 5.0


def test_reset_while_a_probe_is_under_way() -> None:
    breaker = opened(Breaker(DEFAULT, Chance()), 0.0)
    probe = passing(breaker, 5.0)
    breaker.reset()
    opened(breaker, 6.0)
    passing(breaker, 11.0)
    probe.fail(11.0)
    assert breaker.snapshot(11.0).state == "half_open"
    assert wait_of(breaker, 11.0) == 1.0


def test_a_snapshot_says_what_people_ask() -> None:
    breaker = Breaker(DEFAULT, Chance())
    assert breaker.snapshot(0.0).ratio is None
    for _ in range(3):
        passing(breaker, 0.0).succeed(0.0)
    passing(breaker, 0.0).fail(0.0)
    snapshot = breaker.snapshot(0.0)
    assert (snapshot.state, snapshot.consecutive, snapshot.ratio) == ("closed", 1, 0.25)
    passing(breaker, 0.5).succeed(0.5)
    opened(breaker, 1.0)
    assert breaker.snapshot(2.5).probe_in == 3.5
    assert breaker.snapshot(6.0).state == "half_open"


def outages(random: Random, until: float) -> list[tuple[float, float]]:
    """Give when a provider dies and comes back: half an hour in every six, on average."""
    spans, now = [], 0.0
    while now < until:
        dies = now + random.expovariate(1 / 20_000)
        now = dies + random.expovariate(1 / 1_800)
        spans.append((dies, now))
    return spans


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_thousands_of_hours(seed: int) -> None:
    """Calls come at random, and a provider dies at random: five failures a death, probes, and it is back."""
    random = Random(seed)
    until = 1_000 * 3600.0
    spans = outages(random, until)
    breaker = Breaker(DEFAULT, random.random)
    now, healed, failed, slowest = 0.0, 0.0, 0, 0.0
    while now < until:
        now += random.expovariate(1.0) if random.random() < 0.98 else random.expovariate(1 / 600)
        while spans[0][1] <= now:
            _, healed = spans.pop(0)
            failed = 0
        dead = now >= spans[0][0]
        state = breaker.snapshot(now).state
        answer = breaker.admit(now)
        assert isinstance(answer, Permit) or state != "half_open", "nobody else is probing"
        assert isinstance(answer, Barred) or state != "open"
        if isinstance(answer, Barred):
            slowest = max(slowest, now - healed) if state == "open" and not dead else slowest
        elif dead:
            failed += state == "closed"
            answer.fail(now)
        else:
            answer.succeed(now)
        assert failed <= 5, "so many open it; what comes later are probes"
    assert 0.0 < slowest <= 300.0, "nobody waits longer than the longest opening for a probe"
    assert breaker.snapshot(until).openings > 100


@pytest.mark.parametrize("seed", range(10))
def test_after_a_death_under_load_it_opens_within_a_second_and_full_traffic_is_soon_back(seed: int) -> None:
    """50 calls a second; the provider dies at 10 s, comes back at 60 s, and answers at once."""
    random = Random(seed)
    breaker = Breaker(DEFAULT, random.random)
    failures, first_success, refused = [], None, 0.0
    for index in range(50 * 200):
        now = index / 50
        answer = breaker.admit(now)
        if isinstance(answer, Barred):
            refused = now
        elif 10 <= now < 60:
            answer.fail(now)
            failures.append(now)
        else:
            first_success = now if now >= 60 and first_success is None else first_success
            answer.succeed(now)
    assert failures[4] < 10.2
    gaps = [after - before for before, after in pairwise(failures[4:])]
    assert all(0.8 * 5 * 2**n <= gap <= 5 * 2**n + 0.03 for n, gap in enumerate(gaps))
    assert first_success is not None
    assert first_success - failures[-1] <= 5 * 2 ** len(gaps) + 0.03
    assert first_success < refused <= first_success + 10.1


@given(
    result=st.lists(st.tuples(st.floats(0, 2), st.booleans()), max_size=200),
    ratio=st.sampled_from(["0.1", "0.5", "1"]),
)
def test_without_failures_nobody_waits(result: list[tuple[float, bool]], ratio: str) -> None:
    breaker = Breaker(
        BreakerSettings(consecutive=1, min_calls=1, failure_ratio=Decimal(ratio)), Chance(0.999)
    )
    now = 0.0
    for step, succeeds in result:
        now += step
        permit = passing(breaker, now, None)
        (permit.succeed if succeeds else permit.release)(now)
