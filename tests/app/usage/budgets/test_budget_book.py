from datetime import UTC, datetime
from decimal import Decimal

import pytest

from app.usage import budget_book
from app.usage.budget_book import BudgetBook, Reservation
from app.usage.budgets import Budget, BudgetRefusal, Charge
from app.usage.periods import Period, PeriodKind

DOLLAR = 10**9
NOON = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp())
MIDNIGHT = int(datetime(2026, 11, 21, tzinfo=UTC).timestamp())
DAY = Period(PeriodKind.DAY)


def budget(amount=DOLLAR, subject="key:ci", kind=PeriodKind.DAY, notify=(), zone="UTC"):
    return Budget(subject, amount, Period(kind, zone), notify=tuple(map(Decimal, notify)))


class TestReserve:
    def test_fifty_at_once_are_admitted_for_what_there_is(self):
        book, cap = BudgetBook(), budget(DOLLAR)
        held = [book.reserve([cap], [DOLLAR // 10], NOON) for _ in range(50)]
        admitted = [r for r in held if isinstance(r, Reservation)]
        assert len(admitted) == 10
        for reservation in admitted:
            reservation.settle(DOLLAR // 10)
        assert book.standing(cap, NOON).spent == DOLLAR

    def test_the_last_nano_dollar_can_be_spent_and_not_one_more(self):
        book = BudgetBook()
        assert isinstance(book.reserve([budget(10)], [11], NOON), BudgetRefusal)
        assert isinstance(book.reserve([budget(10)], [10], NOON), Reservation)
        assert isinstance(book.reserve([budget(10)], [1], NOON), BudgetRefusal)
        assert isinstance(book.reserve([budget(10)], [0], NOON), Reservation)

    def test_several_budgets_give_all_or_none(self):
        book = BudgetBook()
        wide, narrow = budget(100, "team:a"), budget(10, "key:b")
        refusal = book.reserve([wide, narrow], [20, 20], NOON)
        assert isinstance(refusal, BudgetRefusal)
        assert book.standing(wide, NOON).reserved == 0
        assert isinstance(book.reserve([wide, narrow], [20, 5], NOON), Reservation)
        assert (book.standing(wide, NOON).reserved, book.standing(narrow, NOON).reserved) == (20, 5)

    def test_a_refusal_names_the_budget_what_is_left_and_when_it_begins_anew(self):
        book = BudgetBook()
        book.reserve([budget(100)], [30], NOON).settle(30)
        book.reserve([budget(100)], [25], NOON)
        refusal = book.reserve([budget(100)], [60], NOON)
        assert refusal.budget.subject == "key:ci"
        assert (refusal.asked, refusal.standing.left) == (60, 45)
        assert (refusal.standing.spent, refusal.standing.reserved) == (30, 25)
        assert refusal.standing.ends == MIDNIGHT
        assert refusal.fits_later

    def test_of_several_refusals_the_one_counts_that_begins_anew_last(self):
        book = BudgetBook()
        caps = [budget(1, "a"), budget(1, "b", PeriodKind.MONTH), budget(1, "c", PeriodKind.HOUR)]
        assert book.reserve(caps, [2, 2, 2], NOON).budget.subject == "b"
        never = budget(1, "d", PeriodKind.TOTAL)
        refusal = book.reserve([*caps, never], [2, 2, 2, 2], NOON)
        assert (refusal.budget.subject, refusal.standing.ends, refusal.fits_later) == ("d", None, False)

    def test_a_call_larger_than_the_whole_amount_does_not_fit_later(self):
        assert not BudgetBook().reserve([budget(100)], [101], NOON).fits_later

    def test_one_subject_can_have_a_budget_a_day_and_one_a_month(self):
        book = BudgetBook()
        day, month = budget(10), budget(15, kind=PeriodKind.MONTH)
        book.reserve([day, month], [10, 10], NOON).settle(10)
        refusal = book.reserve([day, month], [10, 10], MIDNIGHT)
        assert refusal.budget is month
        book.reserve([day, month], [5, 5], MIDNIGHT)
        assert book.standing(day, MIDNIGHT).left == 5

    def test_no_budget_refuses_nothing(self):
        reservation = BudgetBook().reserve([], [], NOON)
        assert reservation.settle(5).charges == ()

    def test_a_budget_that_was_raised_has_room_at_once(self):
        book = BudgetBook()
        book.reserve([budget(10)], [10], NOON).settle(10)
        assert isinstance(book.reserve([budget(10)], [1], NOON), BudgetRefusal)
        assert isinstance(book.reserve([budget(11)], [1], NOON), Reservation)

    @pytest.mark.parametrize("amount", [-1, 1.0, True, None, "1", Decimal(1)])
    def test_an_amount_is_a_whole_number_from_0_on(self, amount):
        book = BudgetBook()
        with pytest.raises(ValueError, match="whole nano-dollars"):
            book.reserve([budget(100, "a"), budget(100, "b")], [1, amount], NOON)
        assert book.standing(budget(100, "a"), NOON).reserved == 0

    def test_amounts_pair_with_budgets(self):
        with pytest.raises(ValueError):
            BudgetBook().reserve([budget()], [1, 2], NOON)
        with pytest.raises(ValueError, match="two budgets for one period"):
            BudgetBook().reserve([budget(5), budget(6)], [1, 1], NOON)


class TestSettle:
    def test_gives_back_what_was_not_spent(self):
        book = BudgetBook()
        settlement = book.reserve([budget(100)], [90], NOON).settle(20)
        assert settlement.charges == (Charge("key:ci", PeriodKind.DAY, DAY.start(NOON), 20),)
        assert book.standing(budget(100), NOON).left == 80

    def test_comes_once(self):
        book = BudgetBook()
        reservation = book.reserve([budget(100)], [90], NOON)
        reservation.settle(20)
        for again in (20, None, 99):
            settlement = reservation.settle(again)
            assert (settlement.charges, settlement.crossings) == ((), ())
        assert book.standing(budget(100), NOON).left == 80

    def test_a_call_that_reached_nobody_costs_nothing(self):
        book = BudgetBook()
        assert book.reserve([budget(100)], [90], NOON).settle(None).charges == ()
        assert book.standing(budget(100), NOON).left == 100

    def test_a_call_dearer_than_its_reservation_is_counted_and_closes_the_budget(self):
        book = BudgetBook()
        book.reserve([budget(100)], [90], NOON).settle(130)
        standing = book.standing(budget(100), NOON)
        assert (standing.spent, standing.left) == (130, 0)
        assert isinstance(book.reserve([budget(100)], [0], MIDNIGHT - 1), BudgetRefusal)
        assert isinstance(book.reserve([budget(100)], [100], MIDNIGHT), Reservation)

    def test_a_charge_belongs_to_the_period_of_its_reservation(self):
        book = BudgetBook()
        late = book.reserve([budget(100)], [90], MIDNIGHT - 1)
        assert book.standing(budget(100), MIDNIGHT).left == 100
        assert isinstance(book.reserve([budget(100)], [100], MIDNIGHT), Reservation)
        settlement = late.settle(95)
        assert settlement.charges[0].period_start == DAY.start(NOON)
        assert book.standing(budget(100), MIDNIGHT).spent == 0
        assert book.standing(budget(100), NOON).spent == 95

    @pytest.mark.parametrize("actual", [-1, 1.5, True, "1"])
    def test_a_cost_that_is_none_is_refused_and_the_money_stays_held(self, actual):
        book = BudgetBook()
        reservation = book.reserve([budget(100)], [90], NOON)
        with pytest.raises(ValueError, match="whole nano-dollars"):
            reservation.settle(actual)
        assert book.standing(budget(100), NOON).reserved == 90
        reservation.settle(10)
        assert book.standing(budget(100), NOON).left == 90

    @pytest.mark.parametrize("calls", [10**5, pytest.param(10**6, marks=pytest.mark.slow)])
    def test_very_many_small_calls_add_up_to_the_last_nano_dollar(self, calls):
        book, cap = BudgetBook(), budget(15 * calls)
        for _ in range(calls):
            book.reserve([cap], [15], NOON).settle(15)
        assert book.standing(cap, NOON).spent == 15 * calls
        assert isinstance(book.reserve([cap], [1], NOON), BudgetRefusal)


class TestThresholds:
    CAP = budget(100, notify=("0.5", "0.8", "1"))

    def shares(self, settlement):
        return [str(crossing.share) for crossing in settlement.crossings]

    def spend(self, book, amount, now=NOON, cap=CAP):
        return self.shares(book.reserve([cap], [0], now).settle(amount))

    def test_are_told_when_they_are_reached_and_once(self):
        book = BudgetBook()
        assert self.spend(book, 49) == []
        assert self.spend(book, 1) == ["0.5"]
        assert self.spend(book, 29) == []
        assert self.spend(book, 1) == ["0.8"]
        assert self.spend(book, 1) == []
        assert self.spend(book, 19) == ["1"]

    def test_that_are_passed_at_once_are_told_in_order(self):
        assert self.spend(BudgetBook(), 100, cap=budget(100, notify=("0.8", "1", "0.5"))) == [
            "0.5",
            "0.8",
            "1",
        ]

    def test_are_told_again_in_the_next_period(self):
        book = BudgetBook()
        assert self.spend(book, 60) == ["0.5"]
        assert self.spend(book, 60, MIDNIGHT) == ["0.5"]

    def test_count_what_is_spent_and_not_what_is_held(self):
        book = BudgetBook()
        running = book.reserve([self.CAP], [90], NOON)
        assert self.spend(book, 1) == []
        assert self.shares(running.settle(84)) == ["0.5", "0.8"]

    def test_say_how_the_budget_stands(self):
        (crossing,) = BudgetBook().reserve([self.CAP], [60], NOON).settle(60).crossings
        assert crossing.budget is self.CAP
        assert (crossing.standing.spent, crossing.standing.left, crossing.standing.ends) == (60, 40, MIDNIGHT)

    def test_are_exact_where_a_float_is_not(self):
        cap = budget(10**18 + 10, notify=("0.3",))
        third = 3 * 10**17 + 3
        assert self.spend(BudgetBook(), third - 1, cap=cap) == []
        assert self.spend(BudgetBook(), third, cap=cap) == ["0.3"]

    @pytest.mark.parametrize("share", ["0", "1.01", "-0.5", "NaN"])
    def test_are_shares(self, share):
        with pytest.raises(ValueError, match="is no share of a budget"):
            budget(notify=(share,))


class TestSeed:
    def test_takes_over_what_the_ledger_knows(self):
        book, cap = BudgetBook(), budget(100, notify=("0.8",))
        book.seed(cap, DAY.start(NOON), 85)
        assert book.standing(cap, NOON).left == 15
        assert isinstance(book.reserve([cap], [16], NOON), BudgetRefusal)
        assert book.reserve([cap], [15], NOON).settle(15).crossings == ()  # was told before the restart
        assert book.standing(cap, MIDNIGHT).left == 100

    def test_may_be_more_than_there_is(self):
        book = BudgetBook()
        book.seed(budget(100), DAY.start(NOON), 120)
        assert isinstance(book.reserve([budget(100)], [0], NOON), BudgetRefusal)

    def test_of_a_period_that_has_passed_changes_nothing(self):
        book = BudgetBook()
        book.seed(budget(100), DAY.start(NOON), 100)
        assert book.standing(budget(100), MIDNIGHT).left == 100

    def test_comes_before_the_first_call(self):
        book = BudgetBook()
        book.reserve([budget(100)], [1], NOON)
        with pytest.raises(ValueError, match="has calls in this day already"):
            book.seed(budget(100), DAY.start(NOON), 5)

    def test_names_the_start_of_a_period(self):
        with pytest.raises(ValueError, match="no day starts at"):
            BudgetBook().seed(budget(100), NOON, 5)


class TestClock:
    def test_one_that_goes_back_finds_the_spending_of_its_period(self):
        book, cap = BudgetBook(), budget(100)
        book.reserve([cap], [100], MIDNIGHT - 1).settle(100)
        book.reserve([cap], [40], MIDNIGHT).settle(40)
        assert isinstance(book.reserve([cap], [1], MIDNIGHT - 2), BudgetRefusal)
        assert book.standing(cap, MIDNIGHT + 1).left == 60

    def test_an_hour_shown_twice_has_its_amount_twice(self):
        """Berlin shows 02:30 twice on 25 October 2026."""
        book, cap = BudgetBook(), budget(100, kind=PeriodKind.HOUR, zone="Europe/Berlin")
        first = int(datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp())
        for moment in (first, first + 3600):
            book.reserve([cap], [100], moment).settle(100)
            assert isinstance(book.reserve([cap], [1], moment + 1799), BudgetRefusal)

    def test_a_day_of_twenty_five_hours_has_its_amount_once(self):
        book, cap = BudgetBook(), budget(100, zone="Europe/Berlin")
        midnight = int(datetime(2026, 10, 24, 22, tzinfo=UTC).timestamp())
        book.reserve([cap], [100], midnight).settle(100)
        assert isinstance(book.reserve([cap], [1], midnight + 25 * 3600 - 1), BudgetRefusal)
        assert isinstance(book.reserve([cap], [100], midnight + 25 * 3600), Reservation)

    def test_a_month_ends_where_its_zone_says(self):
        book, cap = BudgetBook(), budget(100, kind=PeriodKind.MONTH, zone="Asia/Tokyo")
        new_year = int(datetime(2026, 12, 31, 15, tzinfo=UTC).timestamp())
        book.reserve([cap], [100], new_year - 1).settle(100)
        refusal = book.reserve([cap], [1], new_year - 1)
        assert refusal.standing.ends == new_year
        assert isinstance(book.reserve([cap], [100], new_year), Reservation)


def test_periods_that_have_passed_are_forgotten_and_others_are_not(monkeypatch):
    monkeypatch.setattr(budget_book, "FEWEST_BEFORE_SWEEP", 16)
    book = BudgetBook()
    monthly = budget(100, "month", PeriodKind.MONTH)
    book.reserve([monthly], [7], NOON).settle(7)
    for minute in range(2000):
        cap = budget(100, f"minute:{minute % 7}", PeriodKind.MINUTE)
        book.reserve([cap], [100], NOON + 60 * minute).settle(100)
        assert isinstance(book.reserve([cap], [1], NOON + 60 * minute), BudgetRefusal)
    assert len(book._tallies) < 1100
    assert book.standing(monthly, NOON + 60 * 2000).spent == 7


@pytest.mark.parametrize("amount", [-1, 1.0, "1"])
def test_a_budgets_amount_is_a_whole_number_from_0_on(amount):
    with pytest.raises(ValueError, match="whole nano-dollars"):
        budget(amount)
