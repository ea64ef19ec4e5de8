"""What follows a failed attempt, and how many more calls that makes. Reliability cases 62, 93, 94."""

from __future__ import annotations

import math
from heapq import heappop, heappush
from itertools import accumulate
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config.resilience import RetrySettings
from app.gateway.retry import (
    CAP,
    FLOOR,
    GiveUp,
    NextTarget,
    OtherCredential,
    Progress,
    RetryAfter,
    RetryBudget,
    Step,
    attempts_of,
    next_step,
)
from providers import errors
from providers.errors import UpstreamError

SAME_TARGET_AGAIN = {
    errors.Unreachable,
    errors.Disconnected,
    errors.Overloaded,
    errors.ServerFault,
    errors.RateLimited,
    errors.TimeoutReported,
}
NO_OTHER_TARGET = {errors.RequestRejected, errors.ContextLengthExceeded, errors.ContentPolicyViolation}
ALL = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, UpstreamError)]
DEFAULT = RetrySettings()
ALMOST_ONE = math.nextafter(1.0, 0.0)


def step(
    error: UpstreamError,
    *,
    tries: int = 1,
    of_call: int | None = None,
    most: int = 10,
    left: float = math.inf,
    has_next: bool = True,
    luck: float = 0.5,
    affordable: bool = True,
    other: bool = False,
    settings: RetrySettings = DEFAULT,
) -> Step:
    """Decide for a call that has just failed for the first time, but for what is said."""
    progress = Progress(
        tries_of_target=tries,
        tries_of_call=tries if of_call is None else of_call,
        max_attempts=most,
        time_left=left,
        has_next=has_next,
        other_credential=other,
    )
    return next_step(error, progress, settings, lambda: luck, affordable=affordable)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_which_errors_are_tried_again_and_where(kind: type[UpstreamError]) -> None:
    first = step(kind("x"))
    assert isinstance(first, RetryAfter) == (kind in SAME_TARGET_AGAIN)
    assert kind.try_next == (kind not in NO_OTHER_TARGET)
    assert step(kind("x"), tries=2) == NextTarget()
    assert step(kind("x"), tries=2, has_next=False) == GiveUp()


def test_a_target_is_tried_as_often_as_is_configured() -> None:
    settings = RetrySettings(attempts=4)
    steps = [step(errors.ServerFault("x"), tries=tries, settings=settings) for tries in range(1, 6)]
    assert [type(each) for each in steps] == [RetryAfter] * 3 + [NextTarget] * 2
    assert step(errors.ServerFault("x"), settings=RetrySettings(attempts=1)) == NextTarget()


def test_a_call_is_tried_no_more_than_it_may_be_whatever_is_left() -> None:
    for error in (errors.ServerFault("x"), errors.UpstreamTimeout("x")):
        assert step(error, of_call=3, most=3) == GiveUp()


def test_without_time_nothing_follows() -> None:
    assert step(errors.ServerFault("x"), left=0.0) == GiveUp()
    assert step(errors.UpstreamTimeout("x"), left=-1.0) == GiveUp()


def test_a_wait_that_does_not_fit_is_not_begun() -> None:
    assert step(errors.ServerFault("x"), left=0.1) == NextTarget()
    assert step(errors.ServerFault("x"), left=0.1, has_next=False) == GiveUp()
    assert step(errors.ServerFault("x"), left=0.11) == RetryAfter(0.1)


def test_without_budget_the_next_target_is_tried() -> None:
    assert step(errors.ServerFault("x"), affordable=False) == NextTarget()
    assert step(errors.ServerFault("x"), affordable=False, has_next=False) == GiveUp()


@pytest.mark.parametrize(
    ("tries", "bound"), [(1, 0.2), (2, 0.4), (3, 0.8), (5, 3.2), (6, 5.0), (7, 5.0), (5_000, 5.0)]
)
def test_waits_are_random_up_to_a_bound_that_doubles(tries: int, bound: float) -> None:
    settings = RetrySettings(attempts=10_000)
    for luck in (0.0, 0.25, ALMOST_ONE):
        decided = step(errors.Overloaded("x"), tries=tries, most=10_000, luck=luck, settings=settings)
        assert isinstance(decided, RetryAfter)
        assert decided.seconds == pytest.approx(luck * bound)


def test_what_the_provider_asks_is_honoured_where_it_fits() -> None:
    error = errors.RateLimited("x", retry_after=2.0)
    assert step(error, luck=0.0) == RetryAfter(2.0)
    assert step(error, left=2.0) == NextTarget()
    assert step(error, left=2.0, has_next=False) == GiveUp()


def test_a_long_wait_is_only_worth_it_without_another_target() -> None:
    error = errors.RateLimited("x", retry_after=30.0)
    assert step(error) == NextTarget()
    assert step(error, has_next=False, luck=0.0) == RetryAfter(30.0)
    assert step(error, has_next=False, left=30.0) == GiveUp()


def test_those_who_are_told_the_same_time_do_not_come_back_together() -> None:
    error = errors.Overloaded("x", retry_after=1.0)
    random = Random(3)
    waits = [step(error, luck=random.random()) for _ in range(100)]
    assert len(set(waits)) == 100
    assert all(isinstance(each, RetryAfter) and 1.0 <= each.seconds < 1.2 for each in waits)


@pytest.mark.parametrize("kind", [errors.RateLimited, errors.QuotaExhausted, errors.CredentialRejected])
def test_another_credential_is_tried_at_once_whatever_the_budget_and_the_targets_tries(
    kind: type[UpstreamError],
) -> None:
    for error in (kind("x"), kind("x", retry_after=60.0)):
        assert step(error, tries=5, other=True, affordable=False) == OtherCredential()
        assert step(error, tries=5, other=True, has_next=False) == OtherCredential()


def test_case_94_other_credentials_take_no_more_tries_than_the_call_has_and_leave_one_to_another_target() -> (
    None
):
    error = errors.RateLimited("x")
    assert step(error, of_call=1, most=3, other=True) == OtherCredential()
    assert step(error, of_call=2, most=3, other=True) == NextTarget()
    assert step(error, of_call=2, most=3, other=True, has_next=False) == OtherCredential()
    assert step(error, of_call=3, most=3, other=True, has_next=False) == GiveUp()
    assert step(error, left=0.0, other=True) == GiveUp()


@pytest.mark.parametrize(
    ("configured", "targets", "attempts"), [(None, 1, 3), (None, 3, 3), (None, 7, 7), (2, 7, 2), (9, 1, 9)]
)
def test_how_many_tries_a_call_may_take(configured: int | None, targets: int, attempts: int) -> None:
    assert attempts_of(configured, targets) == attempts


@given(st.lists(st.booleans(), max_size=3_000), st.integers(0, 2_999), st.integers(0, 3_000))
def test_retries_are_a_tenth_of_first_tries_and_a_few_in_any_stretch(
    wants: list[bool], start: int, length: int
) -> None:
    budget = RetryBudget()
    retried = []
    for wanted in wants:
        budget.earn()
        retried.append(wanted and budget.allows)
        if retried[-1]:
            budget.spend()
    assert sum(retried) <= FLOOR + 0.1 * len(wants)
    assert sum(retried[start : start + length]) <= CAP + 0.1 * length


def test_the_first_few_failures_are_tried_again_without_savings() -> None:
    budget = RetryBudget()
    for _ in range(FLOOR):
        assert budget.allows
        budget.spend()
    assert not budget.allows
    for _ in range(10):
        assert not budget.allows
        budget.earn()
    assert budget.allows


def test_no_more_than_a_few_retries_are_saved_up() -> None:
    budget = RetryBudget()
    for _ in range(100_000):
        budget.earn()
    for _ in range(CAP):
        assert budget.allows
        budget.spend()
    assert not budget.allows


@pytest.mark.parametrize("retry_after", [None, 1.0])
def test_case_93_an_outage_costs_at_most_a_tenth_more_calls(retry_after: float | None) -> None:
    """200 calls a second for a minute, all answered 503 after 50 ms, and no breaker to help."""
    random, budget, settings = Random(93), RetryBudget(), RetrySettings(attempts=3)
    error = errors.Overloaded("full", status=503, retry_after=retry_after)
    calls = 12_000
    due = [(index / 200, 1) for index in range(calls)]
    sent: list[float] = []
    while due:
        now, tries = heappop(due)
        sent.append(now)
        if tries == 1:
            budget.earn()
        progress = Progress(
            tries_of_target=tries, tries_of_call=tries, max_attempts=3, time_left=600.0, has_next=False
        )
        decided = next_step(error, progress, settings, random.random, affordable=budget.allows)
        if isinstance(decided, RetryAfter):
            budget.spend()
            heappush(due, (now + 0.05 + decided.seconds, tries + 1))
    assert 1.09 * calls <= len(sent) <= 1.10 * calls + FLOOR
    tenths = [0] * 700
    for at in sent:
        tenths[int(at * 10)] += 1
    assert max(tenths) < 2 * len(sent) / 600


@given(
    seed=st.integers(0, 10_000),
    attempts=st.integers(1, 5),
    most=st.integers(1, 8),
    targets=st.integers(1, 6),
    deadline=st.floats(0, 20),
)
def test_case_94_a_call_ends_in_time_and_within_its_tries(
    seed: int, attempts: int, most: int, targets: int, deadline: float
) -> None:
    random, settings = Random(seed), RetrySettings(attempts=attempts)
    waits, tries, target, of_target = [0.0], 0, 0, 0
    while True:
        tries, of_target = tries + 1, of_target + 1
        kind = random.choice(ALL)
        error = kind("x", retry_after=random.choice([None, None, 0.0, 1.5, 86_400.0]))
        progress = Progress(
            tries_of_target=of_target,
            tries_of_call=tries,
            max_attempts=most,
            time_left=deadline - sum(waits),
            has_next=target + 1 < targets,
        )
        decided = next_step(error, progress, settings, random.random, affordable=random.random() < 0.8)
        if isinstance(decided, GiveUp):
            break
        if isinstance(decided, RetryAfter):
            waits.append(decided.seconds)
        else:
            target, of_target = target + 1, 0
    assert tries <= most
    assert target < targets
    assert list(accumulate(waits))[-1] <= deadline
