"""What budgets that become known later have spent already."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import structlog

from app.store.calls import CallStore
from app.store.database import Database
from app.store.spending import SpendStore
from app.telemetry.record import Charge
from app.usage.budget_book import BudgetBook
from app.usage.budgets import Budget
from app.usage.periods import Period, PeriodKind
from app.usage.seeding import seed

NOW = 1_795_168_800.0
DAY = Budget("key:ci", 1_000, Period(PeriodKind.DAY, "UTC"), "strict", (Decimal("0.5"),))


async def test_a_budget_that_becomes_known_later_knows_what_was_spent_and_is_not_told_twice(
    tmp_path: Path, make_record: Any
) -> None:
    database = await Database.open(f"sqlite:///{tmp_path}/a.db")
    book, log = BudgetBook(), structlog.get_logger()
    charge = Charge(subject="key:ci", period="day", period_start=DAY.period.start(NOW), nano=700)
    await CallStore(database).insert_calls([make_record("a", charges=[charge])], "run", 1)
    await seed(book, [DAY], SpendStore(database), NOW, log)
    assert book.standing(DAY, NOW).spent == 700

    reservation = book.reserve([DAY], [100], NOW)
    await seed(book, [DAY], SpendStore(database), NOW, log)
    reservation.settle(100)  # type: ignore[union-attr] - there is room
    assert book.standing(DAY, NOW).spent == 800
    await database.close()
