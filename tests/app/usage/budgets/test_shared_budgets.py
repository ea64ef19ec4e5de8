"""Budgets that processes share: exact beyond what Lua counts exactly, learnt from the ledger, held while Redis is lost."""

import asyncio
from decimal import Decimal

import pytest
import structlog

from app.errors import Unavailable
from app.store.database import StoreUnavailable
from app.usage.budgets import Budget, BudgetRefusal
from app.usage.periods import Period, PeriodKind
from app.usage.shared_budgets import SharedBudgets
from tests.app.usage.budgets.shared_book import Named, SharedBook
from tests.harness.shared import join, membership_of

NOON = 1_800_014_400
DAY = Period(PeriodKind.DAY)
CENT = 10**7
CAP = Budget("key:ci", 100 * CENT, DAY)


@pytest.fixture
def book(valkey):
    book = SharedBook(valkey)
    yield book
    book.close()


@pytest.mark.parametrize("base", [2**53, 10**18 - 10, 999_999_999, 10**9, 9_007_199_254_740_993 - 1])
def test_sums_beyond_two_to_the_53_are_exact(book, base):
    cap = Budget("key:rich", base + 1, DAY)
    book.reserve([cap], [base], NOON).settle(base)
    assert isinstance(book.reserve([cap], [2], NOON), BudgetRefusal)
    last = book.reserve([cap], [1], NOON)
    refusal = book.reserve([cap], [1], NOON)
    assert (refusal.standing.spent, refusal.standing.reserved, refusal.standing.left) == (base, 1, 0)
    last.settle(1)
    assert book.standing(cap, NOON).spent == base + 1


def test_more_than_64_bits_are_asked_and_refused(book):
    assert isinstance(book.reserve([CAP], [10**30], NOON), BudgetRefusal)
    book.reserve([CAP], [1], NOON).settle(10**30)
    assert isinstance(book.reserve([CAP], [1], NOON), BudgetRefusal), "it has spent more than there is"


def test_case_106_of_fifty_at_once_ten_fit(book):
    async def race():
        asks = [book.processes[n % 2][0].reserve([CAP], [10 * CENT], NOON) for n in range(50)]
        return await asyncio.gather(*asks)

    book.now = NOON
    answers = book.runner.run(race())
    assert sum(not isinstance(answer, BudgetRefusal) for answer in answers) == 10


def test_case_108_a_million_small_sums_are_exact(book):
    book.now = NOON
    budgets, membership = book.processes[0]

    async def spend():
        for _ in range(20):
            reservations = [await budgets.reserve([CAP], [15], NOON) for _ in range(50)]
            for reservation in reservations:
                reservation.settle(15)
        await budgets.tend(membership.joined)

    book.runner.run(spend())
    assert book.standing(CAP, NOON).spent == 15 * 1000
    assert book.standing(CAP, NOON).reserved == 0
    assert budgets.held == 0


def test_a_share_is_told_once_whichever_process_crosses_it(book):
    cap = Budget("key:told", 100, DAY, notify=(Decimal("0.5"), Decimal(1)))
    crossed = []
    for _ in range(10):
        crossed += [c.share for c in book.reserve([cap], [10], NOON).settle(10).crossings]
    assert crossed == [Decimal("0.5"), Decimal(1)]


def test_a_process_that_starts_later_changes_nothing(book):
    book.reserve([CAP], [30], NOON).settle(30)
    book.ledger[CAP] = 30
    book.processes.append(book.runner.run(book._join()))
    assert book.standing(CAP, NOON).spent == 30


def test_emptied_it_admits_nothing_before_it_knows_the_ledger(book):
    (budgets, membership), (_, other) = book.processes
    strict = Budget("key:ci", 100, DAY, "strict")
    book.reserve([strict], [40], NOON).settle(40)
    pending = book.reserve([strict], [25], NOON)
    book.ledger[strict] = 40
    book.runner.run(budgets.know(Named([strict])))
    book.server.run("FLUSHALL")
    with pytest.raises(Unavailable) as caught:
        book.runner.run(budgets.reserve([strict], [1], NOON))
    assert caught.value.code == "limits_unavailable"

    async def come_back():
        for member in (membership, other):
            if member.joined is not None:
                member.lose(member.joined, "test")
            await join(member)
        with pytest.raises(Unavailable):
            await budgets.reserve([strict], [1], NOON)
        for each, member in book.processes:
            await each.tend(member.joined)

    book.runner.run(come_back())
    assert (book.standing(strict, NOON).spent, book.standing(strict, NOON).reserved) == (40, 25)
    assert isinstance(book.reserve([strict], [36], NOON), BudgetRefusal)
    pending.settle(10)
    assert (book.standing(strict, NOON).spent, book.standing(strict, NOON).reserved) == (50, 0)


async def test_without_the_ledger_a_strict_budget_stays_closed(valkey):
    valkey.run("FLUSHALL")
    membership, strict = membership_of(valkey.url), Budget("key:s", 100, DAY, "strict")
    down = True

    async def read(_budgets, _now):
        if down:
            raise StoreUnavailable("no")
        return {strict: 99}

    budgets = SharedBudgets(membership, read, print, lambda: NOON, structlog.get_logger())
    membership.participants.append(budgets)
    await join(membership)
    with pytest.raises(StoreUnavailable):
        await budgets.know(Named([strict]))
    await budgets.tend(membership.joined)
    with pytest.raises(Unavailable):
        await budgets.reserve([strict], [1], NOON)
    down = False
    await budgets.tend(membership.joined)
    assert isinstance(await budgets.reserve([strict], [2], NOON), BudgetRefusal)
    (await budgets.reserve([strict], [1], NOON)).settle(None)
    await membership.leave()


async def lose(membership):
    membership.lose(membership.joined, "test")


def test_while_lost_a_process_spends_its_share_of_what_was_left(book):
    budgets, membership = book.processes[0]
    book.runner.run(membership._stay())
    assert membership.instances == 2
    cap = Budget("key:ci", 100, DAY)
    book.turn = 1  # the first of them is asked next
    book.reserve([cap], [20], NOON).settle(20)
    book.runner.run(lose(membership))
    # Of the 80 that are left, 40 are its share.
    answers = [book.runner.run(budgets.reserve([cap], [10], NOON)) for _ in range(4)]
    with pytest.raises(Unavailable):
        book.runner.run(budgets.reserve([cap], [10], NOON))
    assert all(answer.degraded for answer in answers)
    answers[0].settle(15)
    book.runner.run(join(membership))
    standing = book.standing(cap, NOON)
    assert (standing.spent, standing.reserved) == (35, 30)
    for answer in answers[1:]:
        answer.settle(None)
    book.runner.run(budgets.tend(membership.joined))
    assert book.standing(cap, NOON).left == 65
