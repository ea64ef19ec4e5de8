"""What budgets have spent, as the calls in the ledger say."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, or_, select

from app.store.database import Database
from app.store.schema import budget_spend
from app.telemetry.record import Charge

FOREVER = "total"
"""The period that never ends."""

_ASKED_AT_ONCE = 500


class SpendStore:
    """The `budget_spend` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def subjects(self, prefix: str, since: int) -> list[str]:
        """Give the subjects of this beginning that have spent in a period of which `spend` would tell.

        Raises `StoreUnavailable`.
        """
        subject = budget_spend.c.subject
        wanted = select(subject).where(subject.startswith(prefix, autoescape=True), _recent(since)).distinct()
        async with self._database.snapshot() as connection:
            return list((await connection.execute(wanted.order_by(subject))).scalars())

    async def spend(self, subjects: Sequence[str], since: int) -> list[Charge]:
        """Give what subjects have spent in each period that began at `since` (Unix seconds) or later, or never ends.

        Raises `StoreUnavailable`.
        """
        columns = list(budget_spend.columns)
        wanted = select(*columns).where(_recent(since)).order_by(*columns)
        found: list[Charge] = []
        async with self._database.snapshot() as connection:
            for first in range(0, len(subjects), _ASKED_AT_ONCE):
                some = subjects[first : first + _ASKED_AT_ONCE]
                rows = await connection.execute(wanted.where(budget_spend.c.subject.in_(some)))
                found += [Charge(**{str(name): row[name] for name in row}) for row in rows.mappings()]
        return found


def _recent(since: int) -> ColumnElement[bool]:
    return or_(budget_spend.c.period_start >= since, budget_spend.c.period == FOREVER)
