"""Four processes let loose on the same limits and budgets in one Valkey: nothing above them, nothing lost, at any moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import accumulate

import pytest

from app.limits.ask import Limit
from app.limits.kinds import LimitKind
from app.usage.budgets import Budget, Crossing
from app.usage.periods import Period, PeriodKind
from tests.harness.crew import Crew, start_crew
from tests.harness.sharer import Sharer, Taken
from tests.harness.valkey import Valkey

TOTAL = Period(PeriodKind.TOTAL)
SHARES = (Decimal("0.5"), Decimal(1))


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    with start_crew(Sharer) as four:
        yield four


def held_at_most(taken: Sequence[Taken], place: int, *, is_gauge: bool) -> int:
    """Give the most that calls surely had of something at one moment: from their answer on until they settled."""
    changes = [
        change
        for answered, settled, use in taken
        if place in use
        for reserved, real in [use[place]]
        for change in ((answered, reserved), (settled, (0 if is_gauge else real) - reserved))
    ]
    return max(accumulate(change for _, change in sorted(changes)), default=0)


def let_loose(crew: Crew, valkey: Valkey, rounds: int) -> None:
    """Have all of them call at once, and hold what they were given against the capacities."""
    valkey.run("FLUSHALL")
    crew.all("join_in_real_time", valkey.url)
    calls = len(crew) * 12 * rounds
    limits = [
        Limit("key:a", LimitKind.RPM, calls // 4),
        Limit("key:a", LimitKind.TPM, calls * 8),
        Limit("user:b", LimitKind.ITPM, calls * 4),
        Limit("user:b", LimitKind.OTPM, calls * 4),
        Limit("key:a", LimitKind.CONCURRENCY, 9),
        Limit("model:c", LimitKind.CONCURRENCY, 5),
    ]
    budgets = [
        Budget("key:a", calls * 8, TOTAL, "strict", notify=SHARES),
        Budget("team:b", calls * 3, TOTAL, notify=SHARES),
    ]
    came = crew.all("run", limits, budgets, rounds)
    of_limits, of_budgets = ([each for answer in came for each in answer[kind]] for kind in (0, 1))
    refused = 2 * calls - len(of_limits) - len(of_budgets)
    assert min(len(of_limits), len(of_budgets), refused) > calls // 20, "it was about nothing"
    for place, standing in enumerate(crew.tell(0, "standings", limits, 0.0)):
        limit = limits[place]
        is_gauge = limit.kind is LimitKind.CONCURRENCY
        assert held_at_most(of_limits, place, is_gauge=is_gauge) <= limit.capacity, limit
        used = 0 if is_gauge else sum(use[place][1] for _, _, use in of_limits if place in use)
        assert standing.remaining == limit.capacity - used, limit
    told: list[Crossing] = [crossing for answer in came for crossing in answer[2]]
    for place, budget in enumerate(budgets):
        assert held_at_most(of_budgets, place, is_gauge=False) <= budget.amount, budget
        standing = crew.tell(1, "standing", budget, 0.0)
        spent = sum(use[place][1] for _, _, use in of_budgets if place in use)
        assert (standing.spent, standing.reserved) == (spent, 0), budget
        crossed = Counter(crossing.share for crossing in told if crossing.budget == budget)
        assert crossed == Counter({share: 1 for share in SHARES if spent >= share * budget.amount})
    crew.all("leave")


def test_case_99_four_processes_at_once(crew: Crew, valkey: Valkey) -> None:
    let_loose(crew, valkey, 2)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_case_99_four_processes_at_once_again_and_again(crew: Crew, valkey: Valkey) -> None:
    for rounds in (1, 2, 5, 10, 20, 40, 60):
        let_loose(crew, valkey, rounds)
