"""When a credential may be used: parked, quarantined, tried by one call, back in use. Reliability cases 63, 64, 96."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.gateway.parking import LEASE, LONGEST, RAMP, RAMP_START, TERMS, Parked, Parking, Reason

REASONS = st.sampled_from(sorted(TERMS))
NOW = 1000.0


def parked(reason: Reason = "rate_limited", asked: float | None = None, luck: float = 0.0) -> Parking:
    parking = Parking(lambda: luck)
    assert parking.refuse(parking.take(NOW), reason, asked, NOW) is not None
    return parking


@pytest.mark.parametrize(
    ("asked", "seconds"), [(2.0, 2.0), (120.0, 120.0), (86_400.0, LONGEST), (0.02, 0.02)]
)
def test_case_63_it_rests_for_what_the_provider_asks_and_an_hour_at_most(
    asked: float, seconds: float
) -> None:
    parking = parked(asked=asked)
    assert (parking.state, parking.wait(NOW)) == ("parked", pytest.approx(seconds))
    assert parking.wait(NOW + seconds + 1e-6) == 0.0


@pytest.mark.parametrize("asked", [None, 0.0])
def test_case_63_without_a_word_of_the_provider_rests_double(asked: float | None) -> None:
    parking, now, rests = Parking(lambda: 0.5), NOW, []
    for _ in range(14):
        told = parking.refuse(parking.take(now), "rate_limited", asked, now)
        assert told is not None
        rests.append(told.seconds)
        now += told.seconds
    assert rests[:4] == pytest.approx([0.9, 1.8, 3.6, 7.2])
    assert rests[-1] == pytest.approx(LONGEST * 0.9)


def test_case_63_an_empty_account_rests_an_hour_whatever_it_says() -> None:
    assert parked("quota_exhausted", asked=2.0).wait(NOW) == LONGEST


def test_case_64_a_refused_credential_is_tried_rarely() -> None:
    parking, now, tries = Parking(lambda: 0.0), NOW, 0
    while now < NOW + 2 * 3600:
        tries += 1
        told = parking.refuse(parking.take(now), "rejected", None, now)
        assert told is not None
        assert told.again == (tries > 1)
        assert parking.state == "quarantined"
        now += told.seconds
    assert tries <= 11


def test_one_call_tries_it_and_the_others_wait() -> None:
    parking = parked(asked=5.0)
    now = NOW + 5.0
    mark = parking.take(now)
    assert parking.wait(now) == 1.0
    assert parking.accept(mark, now)
    assert (parking.state, parking.wait(now)) == ("ready", 0.0)


def test_a_trial_that_tells_nothing_leaves_the_next_one_to_try() -> None:
    parking = parked(asked=5.0)
    now = NOW + 5.0
    parking.release(parking.take(now))
    assert (parking.state, parking.wait(now)) == ("parked", 0.0)


def test_a_trial_that_never_ends_keeps_others_out_for_a_while_only() -> None:
    parking = parked(asked=5.0)
    now = NOW + 5.0
    lost = parking.take(now)
    assert parking.wait(now + LEASE) == 0.0
    second = parking.take(now + LEASE)
    assert not parking.accept(lost, now + LEASE), "another one has its place"
    assert parking.accept(second, now + LEASE)


def test_those_on_their_way_when_it_was_parked_change_nothing() -> None:
    parking = Parking(lambda: 0.0)
    marks = [parking.take(NOW) for _ in range(50)]
    told = [parking.refuse(mark, "rate_limited", None, NOW + index / 100) for index, mark in enumerate(marks)]
    assert [each is not None for each in told] == [True] + [False] * 49
    assert parking.wait(NOW) == 1.0, "fifty answers to one burst are one refusal"
    assert not parking.accept(marks[0], NOW)


def test_who_is_parked_again_soon_after_has_not_recovered() -> None:
    parking = parked()
    now = NOW + 1.0
    mark = parking.take(now)
    assert parking.accept(mark, now)
    assert parking.refuse(mark, "rate_limited", None, now) == Parked("rate_limited", 2.0, again=True)
    now += 2.0
    mark = parking.take(now)
    parking.accept(mark, now)
    assert parking.refuse(mark, "rate_limited", None, now + RAMP) == Parked("rate_limited", 1.0, again=False)


def test_another_reason_begins_anew() -> None:
    parking, now = Parking(lambda: 0.0), NOW
    for _ in range(5):
        told = parking.refuse(parking.take(now), "rate_limited", None, now)
        assert told is not None
        now += told.seconds
    assert parking.refuse(parking.take(now), "rejected", None, now) == Parked("rejected", 10.0, again=False)


def test_a_reset_brings_it_back_at_once_and_forgets_who_is_on_his_way() -> None:
    parking = Parking(lambda: 0.0)
    mark, other = parking.take(NOW), parking.take(NOW)
    parking.refuse(mark, "rejected", None, NOW)
    parking.reset()
    assert (parking.state, parking.wait(NOW), parking.share(NOW)) == ("ready", 0.0, 1.0)
    assert parking.refuse(other, "rejected", None, NOW) is None


def test_case_96_its_return_is_ramped() -> None:
    parking = parked(asked=5.0)
    now = NOW + 5.0
    parking.accept(parking.take(now), now)
    shares = [parking.share(now + since) for since in (0.0, RAMP / 2, RAMP, 2 * RAMP)]
    assert shares == pytest.approx([RAMP_START, 0.55, 1.0, 1.0])


@given(REASONS, st.none() | st.just(0.0) | st.floats(0.001, 1e9), st.floats(0, 0.999))
def test_no_rest_is_longer_than_an_hour_or_shorter_than_asked_up_to_that(
    reason: Reason, asked: float | None, luck: float
) -> None:
    wait = parked(reason, asked, luck).wait(NOW)
    assert 0 < wait <= LONGEST + 1e-6
    if TERMS[reason].heeds_provider and asked:
        assert wait == pytest.approx(min(asked, LONGEST))


class Life(RuleBasedStateMachine):
    """Any order of calls, answers and time: at most one call uses what is out of use, and none before its time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.parking = Parking(lambda: 0.5)
        self.on_their_way: list[int] = []
        self.trying: tuple[int, float] | None = None
        self.until = self.now

    @rule(seconds=st.floats(0, 200))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.parking.wait(self.now) == 0.0)
    @rule()
    def call(self) -> None:
        assert not self.parking.barred or self.now >= self.until
        if self.parking.barred:
            assert self.trying is None or self.now >= self.trying[1] + LEASE, "two at once"
        mark = self.parking.take(self.now)
        self.trying = (mark, self.now) if self.parking.barred else None
        self.on_their_way.append(mark)

    @precondition(lambda self: self.on_their_way)
    @rule(data=st.data(), reason=st.none() | REASONS, asked=st.none() | st.floats(0.1, 100))
    def end(self, data: st.DataObject, reason: Reason | None, asked: float | None) -> None:
        mark = self.on_their_way.pop(data.draw(st.integers(0, len(self.on_their_way) - 1)))
        if reason is not None:
            told = self.parking.refuse(mark, reason, asked, self.now)
            if told is not None:
                self.until, self.trying = self.now + told.seconds, None
        elif data.draw(st.booleans()):
            self.parking.accept(mark, self.now)
        self.parking.release(mark)
        if self.trying is not None and self.trying[0] == mark:
            self.trying = None

    @rule()
    def reset(self) -> None:
        self.parking.reset()
        self.trying = None

    @invariant()
    def its_state_is_one_of_three(self) -> None:
        assert self.parking.barred == (self.parking.state != "ready") == (self.parking.reason is not None)
        assert 0 <= self.parking.wait(self.now) <= LONGEST + 1e-6


TestLife = Life.TestCase
