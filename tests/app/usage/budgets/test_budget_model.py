"""The book, here and in Redis, against a slow oracle that keeps every call and adds them up anew each time."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.usage.budget_book import BudgetBook
from app.usage.budgets import Budget, BudgetRefusal
from app.usage.periods import Period, PeriodKind
from tests.app.usage.budgets.shared_book import CrewBook, SharedBook
from tests.harness.crew import start_crew
from tests.harness.sharer import Sharer

# Just before the end of a month, of a week, of a day and of summer time in New York.
BEGIN = int(datetime(2026, 10, 31, 3, tzinfo=UTC).timestamp())
SHARES = (Decimal("0.5"), Decimal("0.8"), Decimal(1))

BUDGETS = [
    Budget("key:a", 1000, Period(PeriodKind.DAY, "America/New_York"), notify=SHARES),
    Budget("key:a", 2500, Period(PeriodKind.MONTH, "America/New_York"), "strict", notify=SHARES),
    Budget("key:b", 300, Period(PeriodKind.HOUR, "America/New_York"), notify=SHARES),
    Budget("team", 1500, Period(PeriodKind.WEEK, "Asia/Kolkata"), notify=SHARES),
    Budget("user", 40, Period(PeriodKind.MINUTE), notify=SHARES),
    Budget("all", 9000, Period(PeriodKind.TOTAL), notify=SHARES),
]


def name_of_period(period, now):
    """Say which period it is in another way than by its start: what the clock shows."""
    shown = datetime.fromtimestamp(now, ZoneInfo(period.zone))
    return {
        PeriodKind.MINUTE: now // 60,
        PeriodKind.HOUR: now // 3600,
        PeriodKind.DAY: shown.date(),
        PeriodKind.WEEK: shown.isocalendar()[:2],
        PeriodKind.MONTH: (shown.year, shown.month),
        PeriodKind.TOTAL: "always",
    }[period.kind]


@dataclass
class Held:
    budgets: list
    amounts: list
    now: int
    reservation: object
    open: bool = True
    actual: int = 0


class Oracle:
    def __init__(self):
        self.calls = []

    def sums(self, budget, now):
        """Give (spent, reserved) in the period that holds `now`."""
        spent = reserved = 0
        for call in self.calls:
            for one, amount in zip(call.budgets, call.amounts, strict=True):
                if one == budget and name_of_period(one.period, call.now) == name_of_period(one.period, now):
                    spent += 0 if call.open else call.actual
                    reserved += amount if call.open else 0
        return spent, reserved

    def has_room(self, budgets, amounts, now):
        return all(sum(self.sums(b, now)) + a <= b.amount for b, a in zip(budgets, amounts, strict=True))


reserve = st.tuples(
    st.just("reserve"),
    st.lists(st.sampled_from(range(len(BUDGETS))), unique=True, min_size=1),
    st.lists(st.integers(0, 400), min_size=len(BUDGETS), max_size=len(BUDGETS)),
)
settle = st.tuples(st.just("settle"), st.integers(0, 10**6), st.integers(0, 130))
abort = st.tuples(st.just("abort"), st.integers(0, 10**6), st.just(0))
again = st.tuples(st.just("again"), st.integers(0, 10**6), st.integers(0, 500))
wait = st.tuples(st.just("wait"), st.sampled_from([1, 17, 59, 600, 3599, 20_000, 86_400]), st.just(0))
steps = st.lists(st.one_of(reserve, reserve, settle, settle, abort, again, wait), max_size=80)


def play(script, *, honest, book=None):
    """Run a script against both. `honest`: no call costs more than the least that was reserved for it."""
    book, oracle, now = book or BudgetBook(), Oracle(), BEGIN
    charged, told = Counter(), []
    for step, first, second in script:
        if step == "wait":
            now += first
        elif step == "reserve":
            budgets = [BUDGETS[index] for index in first]
            amounts = [second[index] for index in first]
            given_ = book.reserve(budgets, amounts, now)
            assert isinstance(given_, BudgetRefusal) != oracle.has_room(budgets, amounts, now)
            if isinstance(given_, BudgetRefusal):
                check_refusal(given_, oracle, budgets, amounts, now)
            else:
                oracle.calls.append(Held(budgets, amounts, now, given_))
                check_caps(oracle, budgets, now)
        elif calls := [call for call in oracle.calls if call.open != (step == "again")]:
            call = calls[first % len(calls)]
            actual = min(call.amounts) * second // 100 if step == "settle" else second
            actual = min(actual, *call.amounts) if honest else actual
            settlement = call.reservation.settle(None if step == "abort" else actual)
            if step == "again":
                assert (settlement.charges, settlement.crossings) == ((), ())
                continue
            call.open, call.actual = False, actual
            charged.update({(c.subject, c.period, c.period_start): c.nano for c in settlement.charges})
            told += [(c.budget, c.standing.starts, c.share, c.standing.spent) for c in settlement.crossings]
        check_standings(book, oracle, now)
    return oracle, charged, told


def check_refusal(refusal, oracle, budgets, amounts, now):
    spent, reserved = oracle.sums(refusal.budget, now)
    assert refusal.asked == amounts[budgets.index(refusal.budget)]
    assert spent + reserved + refusal.asked > refusal.budget.amount
    assert refusal.standing.left == max(0, refusal.budget.amount - spent - reserved) < max(1, refusal.asked)
    if refusal.standing.ends is not None:
        assert now < refusal.standing.ends


def check_caps(oracle, budgets, now):
    for budget in budgets:
        assert sum(oracle.sums(budget, now)) <= budget.amount


def check_standings(book, oracle, now):
    for budget in BUDGETS:
        standing = book.standing(budget, now)
        assert (standing.spent, standing.reserved) == oracle.sums(budget, now)


@settings(max_examples=150)
@given(steps)
def test_the_book_says_what_the_oracle_says(script):
    check_told(*play(script, honest=False))


def test_the_shared_book_says_what_the_oracle_says(valkey):
    """A few runs; the longer suite has many."""
    against_oracle(lambda: SharedBook(valkey), max_examples=8)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_shared_book_says_what_the_oracle_says_at_length(valkey):
    against_oracle(lambda: SharedBook(valkey), max_examples=150)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_book_of_four_processes_says_what_the_oracle_says(valkey):
    with start_crew(Sharer) as crew:
        against_oracle(lambda: CrewBook(valkey, crew), max_examples=60)


def against_oracle(new_book, *, max_examples):
    @settings(max_examples=max_examples)
    @given(steps)
    def run(script):
        book = new_book()
        try:
            check_told(*play(script, honest=False, book=book))
        finally:
            book.close()

    run()


def check_told(oracle, charged, told):
    expected = Counter()
    for call in oracle.calls:
        for budget in call.budgets:
            key = (budget.subject, budget.period.kind, budget.period.start(call.now))
            expected[key] += 0 if call.open else call.actual
    assert +charged == +expected
    # Each share once a period, when it is reached, in order.
    assert len({entry[:3] for entry in told}) == len(told)
    for budget, starts, share, spent in told:
        assert spent >= Fraction(share) * budget.amount
        earlier = [
            s
            for b, at, s, _ in told[: told.index((budget, starts, share, spent))]
            if (b, at) == (budget, starts)
        ]
        assert all(before < share for before in earlier)
    for budget in BUDGETS:
        for (subject, kind, starts), spent in charged.items():
            if (subject, kind) == (budget.subject, budget.period.kind):
                reached = {share for share in SHARES if spent >= share * budget.amount}
                assert {s for b, at, s, _ in told if (b, at) == (budget, starts)} == reached


@settings(max_examples=150)
@given(steps)
def test_strict_no_period_costs_more_than_its_amount(script):
    """If each call costs no more than was reserved for it, spending stays within the amount."""
    _, charged, _ = play(script, honest=True)
    amounts = {(budget.subject, budget.period.kind): budget.amount for budget in BUDGETS}
    for (subject, kind, _), spent in charged.items():
        assert spent <= amounts[subject, kind]
