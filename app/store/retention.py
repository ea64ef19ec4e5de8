"""Letting go of what is old: rows, never roll-ups."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import and_, delete, select

from app.store.call_rows import text_of_time
from app.store.database import Database
from app.store.schema import audit, budget_spend, calls
from app.store.spending import FOREVER

HOUR = 3600
LONGEST_PERIOD = 31 * 24 * HOUR
"""Seconds of the longest period of a budget that ends."""


class OldChanges:
    """The rows of the audit log that were written long ago."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def delete(self, before: float, limit: int) -> int:
        """Delete up to so many that were written before (Unix seconds), the oldest first; give how many.

        Raises `StoreUnavailable`.
        """
        old = select(audit.c.id).where(audit.c.at < before).order_by(audit.c.at).limit(limit)
        async with self._database.write() as connection:
            return (await connection.execute(delete(audit).where(audit.c.id.in_(old)))).rowcount


class OldRows:
    """The calls, with their tries, and the spending of periods, that ended long ago."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def delete(self, before: float, limit: int) -> int:
        """Delete up to so many calls of the hours that ended before (Unix seconds), the oldest first; give how many.

        Raises `StoreUnavailable`.
        """
        # Whole hours, so that what is gone is what the roll-ups tell of.
        hour = text_of_time(datetime.fromtimestamp(before // HOUR * HOUR, UTC))
        old = select(calls.c.id).where(calls.c.timestamp < hour).order_by(calls.c.timestamp).limit(limit)
        over = and_(budget_spend.c.period_start < before - LONGEST_PERIOD, budget_spend.c.period != FOREVER)
        async with self._database.write() as connection:
            gone = await connection.execute(delete(calls).where(calls.c.id.in_(old)))
            if gone.rowcount < limit:
                await connection.execute(delete(budget_spend).where(over))
            return gone.rowcount
