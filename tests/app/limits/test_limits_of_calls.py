"""What a user of the limits relies on, case by case."""

from __future__ import annotations

import random
import timeit
import tracemalloc

import pytest

from app.limits.ask import Amounts, Limit, Refusal, Tightest
from app.limits.kinds import LimitKind
from app.limits.memory import Hold, MemoryLimits

RPM = Limit("key:ci", LimitKind.RPM, 100)
RPD = Limit("key:ci", LimitKind.RPD, 150)
TPM = Limit("key:ci", LimitKind.TPM, 100)
ITPM = Limit("provider:openai", LimitKind.ITPM, 100)
OTPM = Limit("provider:openai", LimitKind.OTPM, 100)
BUSY = Limit("model:fast", LimitKind.CONCURRENCY, 100)
EVERY_KIND = [RPM, TPM, ITPM, OTPM, BUSY]


def held(answer: Hold | Refusal) -> Hold:
    assert isinstance(answer, Hold), answer
    return answer


def refused(answer: Hold | Refusal) -> Refusal:
    assert isinstance(answer, Refusal)
    return answer


def left(limits: MemoryLimits, limit: Limit, now: float) -> int:
    return limits.standings([limit], now)[0].remaining


@pytest.mark.parametrize("limit", EVERY_KIND, ids=lambda limit: limit.kind)
def test_of_a_thousand_at_once_exactly_the_limit_passes(limit: Limit) -> None:
    limits, ask = MemoryLimits(), Amounts(1, 1 if limit is not OTPM else 0, 1 if limit is OTPM else 0)
    answers = [limits.take([limit], ask, 7.0) for _ in range(1_000)]
    assert sum(isinstance(answer, Hold) for answer in answers) == 100


def test_a_burst_at_the_edge_of_a_minute_is_one_burst() -> None:
    limits = MemoryLimits()
    before = [limits.take([RPM], Amounts(), 59.9) for _ in range(100)]
    after = [limits.take([RPM], Amounts(), 60.1) for _ in range(100)]
    assert all(isinstance(answer, Hold) for answer in before)
    assert all(isinstance(answer, Refusal) for answer in after)


def test_tokens_asked_together_are_admitted_by_their_estimates() -> None:
    limits = MemoryLimits()
    answers = [limits.take([TPM], Amounts(1, 20, 40), 0.0) for _ in range(5)]
    assert sum(isinstance(answer, Hold) for answer in answers) == 1


def test_one_full_limit_takes_from_no_other() -> None:
    limits = MemoryLimits()
    held(limits.take([TPM], Amounts(1, 90, 0), 0.0))
    refusal = refused(limits.take([BUSY, RPM, TPM], Amounts(1, 10, 1), 1.0))
    assert (refusal.limit, refusal.used, refusal.asked) == (TPM, 90, 11)
    assert left(limits, RPM, 1.0) == left(limits, BUSY, 1.0) == 100


def test_the_refusal_names_the_limit_that_frees_last() -> None:
    limits = MemoryLimits()
    for _ in range(100):
        held(limits.take([RPM], Amounts(), 0.0))
    held(limits.take([TPM], Amounts(1, 100, 0), 30.01))
    refusal = refused(limits.take([RPM, TPM], Amounts(1, 1, 0), 40.0))
    assert refusal.limit == TPM
    assert refusal.retry_after == pytest.approx(50.05), "the end of the slot that holds 90.01"
    assert refused(limits.take([RPM], Amounts(), 40.0)).retry_after == pytest.approx(20.05)


@pytest.mark.parametrize(("taken", "asked"), [(0.54, 12.870999999999999), (2.5, 26.437), (2.76, 4.154)])
def test_the_wait_added_to_now_is_never_too_short_by_a_rounding(taken: float, asked: float) -> None:
    limits, one = MemoryLimits(), Limit("key:ci", LimitKind.RPM, 1)
    held(limits.take([one], Amounts(), taken))
    wait = refused(limits.take([one], Amounts(), asked)).retry_after
    assert wait is not None
    refused(limits.take([one], Amounts(), asked + wait - 0.0001))
    held(limits.take([one], Amounts(), asked + wait))


def test_an_ask_beyond_a_whole_limit_is_told_so_whatever_else_is_full() -> None:
    limits = MemoryLimits()
    held(limits.take([TPM], Amounts(1, 100, 0), 0.0))
    refusal = refused(limits.take([TPM, ITPM], Amounts(1, 101, 0), 0.0))
    assert (refusal.asked, refusal.retry_after) == (101, None)
    assert refusal.limit.capacity == 100


def test_a_limit_of_zero_lets_nothing_pass_ever() -> None:
    shut = Limit("key:ci", LimitKind.RPM, 0)
    assert refused(MemoryLimits().take([shut], Amounts(), 0.0)).retry_after is None


def test_a_full_gauge_says_to_come_back_and_frees_when_a_call_ends() -> None:
    limits, one = MemoryLimits(), Limit("provider:p", LimitKind.CONCURRENCY, 1)
    hold = held(limits.take([one], Amounts(), 0.0))
    refusal = refused(limits.take([one], Amounts(), 3_600.0))
    assert refusal.retry_after is not None
    hold.settle(Amounts(1, 5, 5), 3_600.0)
    hold.settle(None, 3_600.0)
    held(limits.take([one], Amounts(), 3_600.0))
    refused(limits.take([one], Amounts(), 3_600.0))


def test_a_debt_of_a_call_longer_than_the_window_is_charged() -> None:
    limits = MemoryLimits()
    hold = held(limits.take([TPM], Amounts(1, 10, 10), 0.0))
    for other in range(1_000):
        limits.take([Limit(f"key:{other}", LimitKind.TPM, 1)], Amounts(1, 1, 0), 200.0)
    hold.settle(Amounts(1, 10, 70), 300.0)
    assert left(limits, TPM, 300.0) == 40


def test_a_call_that_reached_no_provider_gets_its_tokens_back() -> None:
    limits = MemoryLimits()
    held(limits.take([RPM, TPM], Amounts(1, 40, 40), 0.0)).settle(None, 1.0)
    assert (left(limits, RPM, 1.0), left(limits, TPM, 1.0)) == (99, 100)


def test_its_request_comes_back_where_that_is_wanted() -> None:
    limits = MemoryLimits()
    held(limits.take([RPM], Amounts(), 0.0)).settle(None, 1.0, refund_requests=True)
    assert left(limits, RPM, 1.0) == 100


def test_input_and_output_count_apart_and_together() -> None:
    limits = MemoryLimits()
    held(limits.take([TPM, ITPM, OTPM], Amounts(1, 30, 20), 0.0)).settle(Amounts(1, 25, 5), 1.0)
    assert [each.remaining for each in limits.standings([TPM, ITPM, OTPM], 1.0)] == [70, 75, 95]


def test_a_changed_capacity_applies_to_what_is_counted_already() -> None:
    limits = MemoryLimits()
    held(limits.take([TPM], Amounts(1, 90, 0), 0.0))
    refused(limits.take([TPM], Amounts(1, 20, 0), 1.0))
    held(limits.take([Limit("key:ci", LimitKind.TPM, 200)], Amounts(1, 20, 0), 1.0))


def test_a_limit_named_twice_counts_once_and_the_lower_one_holds() -> None:
    limits, lower = MemoryLimits(), Limit("key:ci", LimitKind.TPM, 50)
    held(limits.take([TPM, lower], Amounts(1, 30, 0), 0.0))
    assert left(limits, TPM, 0.0) == 70
    assert refused(limits.take([TPM, lower], Amounts(1, 30, 0), 0.0)).limit.capacity == 50


def test_the_headers_tell_the_tightest_of_requests_and_of_tokens() -> None:
    limits = MemoryLimits()
    asked = [RPM, RPD, TPM, ITPM, BUSY]
    for _ in range(80):
        held(limits.take([RPD], Amounts(), 0.0))
    held(limits.take(asked, Amounts(1, 10, 25), 10.01))
    tightest = Tightest.among(limits.standings(asked, 10.05))
    assert tightest.requests is not None
    assert tightest.tokens is not None
    assert (tightest.requests.limit, tightest.requests.remaining) == (RPD, 69)
    assert (tightest.tokens.limit, tightest.tokens.remaining) == (TPM, 65)
    assert tightest.tokens.reset_after == pytest.approx(60.0)
    assert Tightest.among([]) == Tightest(None, None)


def test_a_debt_shows_as_nothing_left() -> None:
    limits = MemoryLimits()
    held(limits.take([TPM], Amounts(1, 10, 10), 0.0)).settle(Amounts(1, 10, 900), 1.0)
    assert left(limits, TPM, 1.0) == 0


@pytest.mark.parametrize(
    ("subjects", "kinds", "a_minute"),
    [(100_000, (LimitKind.RPM,), 6_000), (5_000, (LimitKind.RPM, LimitKind.TPM, LimitKind.CONCURRENCY), 600)],
)
@pytest.mark.slow
def test_idle_subjects_are_forgotten_and_live_ones_kept(
    subjects: int, kinds: tuple[LimitKind, ...], a_minute: int
) -> None:
    limits, most = MemoryLimits(), 0
    for subject in range(subjects):
        now = subject * 60 / a_minute
        held(limits.take([Limit(f"key:{subject}", kind, 10) for kind in kinds], Amounts(), now)).settle(
            None, now
        )
        most = max(most, len(limits))
    windows = a_minute * sum(kind is not LimitKind.CONCURRENCY for kind in kinds)
    assert windows <= most <= 2 * windows
    for _ in range(len(limits)):
        limits.take([RPM], Amounts(), 10_000.0)
    assert len(limits) == 1


def test_a_subject_that_is_live_takes_less_than_a_kibibyte_a_limit() -> None:
    subjects = [f"key:{number}" for number in range(5_000)]
    limits = MemoryLimits()
    tracemalloc.start()
    for subject in subjects:
        limits.take([Limit(subject, LimitKind.RPM, 10), Limit(subject, LimitKind.TPM, 10)], Amounts(), 0.0)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(limits) == 10_000
    assert grown / len(limits) < 1_024


@pytest.mark.parametrize("seed", range(5))
def test_a_saturated_limit_is_used_to_the_full_and_not_beyond(seed: int) -> None:
    """Five minutes, each call asking what it may use at most and using some of it."""
    draw, limits, limit = random.Random(seed), MemoryLimits(), Limit("key:ci", LimitKind.TPM, 100_000)
    spent: list[tuple[float, int]] = []
    running: list[tuple[float, Hold, Amounts]] = []
    for tick in range(6 * 60 * 20):
        now = tick / 20
        for _, hold, real in [each for each in running if each[0] <= now]:
            hold.settle(real, now)
        running = [each for each in running if each[0] > now]
        ask = Amounts(1, draw.randint(100, 600), draw.randint(100, 1_000))
        answer = limits.take([limit], ask, now)
        if isinstance(answer, Hold):
            real = Amounts(1, ask.input_tokens, draw.randint(0, ask.output_tokens))
            running.append((now + draw.uniform(0.2, 5), answer, real))
            spent.append((now, real.tokens))
    for offset in range(60, 301, 20):
        used = sum(tokens for at, tokens in spent if offset - 60 < at <= offset)
        assert used <= limit.capacity
    assert 0.90 <= sum(tokens for at, tokens in spent if at < 300) / (5 * limit.capacity) <= 1.00


def test_what_an_ask_costs(capsys: pytest.CaptureFixture[str]) -> None:
    """Printed for the reader; a busy machine may be slow, so that there is no bound."""
    limits, times = MemoryLimits(), iter(range(10**9))
    plenty = [Limit("key:ci", LimitKind.RPM, 10**9), Limit("key:ci", LimitKind.TPM, 10**12), BUSY]
    asked, real = Amounts(1, 500, 800), Amounts(1, 480, 300)

    def one_call() -> None:
        now = next(times) / 1_000
        held(limits.take(plenty, asked, now)).settle(real, now)

    best = min(timeit.repeat(one_call, number=5_000, repeat=4)) / 5_000
    with capsys.disabled():
        print(f"\ntake and settle over three limits: {best * 1e6:.1f} us (to aim for: under 20)")
    assert left(limits, BUSY, 20.0) == 100
