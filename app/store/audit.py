"""Who changed what: the `audit` table. A row is written in the transaction of what it tells of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from sqlalchemy import RowMapping, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.database import Database
from app.store.schema import audit
from providers.types import Json

Told = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class By:
    """Who changes something, and with which request."""

    actor: str
    request_id: str | None = None


PROCESS = By("switchgear")
"""The gateway itself."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is changed: `before` and `after` hold nothing secret, None where there is nothing."""

    action: str
    """Such as `key.create`."""
    target: str
    before: Told | None = None
    after: Told | None = None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A change that was made, `at` in Unix seconds."""

    id: int
    at: float
    actor: str
    action: str
    target: str
    before: Told | None
    after: Told | None
    request_id: str | None


async def write_change(connection: AsyncConnection, change: Change, by: By, now: float) -> None:
    """Write a row in a transaction."""
    row = {
        "at": now,
        "actor": by.actor[:256],
        "action": change.action,
        "target": change.target[:256],
        "before": _text(change.before),
        "after": _text(change.after),
        "request_id": by.request_id,
    }
    await connection.execute(insert(audit).values(row))


class AuditStore:
    """The `audit` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, change: Change, by: By, now: float) -> None:
        """Write a row about what the database does not hold. Raises `StoreUnavailable`."""
        async with self._database.write() as connection:
            await write_change(connection, change, by, now)

    async def read(
        self, limit: int, *, before: int | None = None, target: str | None = None
    ) -> list[AuditRow]:
        """Give the newest rows, or those older than one by its id. Raises `StoreUnavailable`."""
        wanted = select(audit).order_by(audit.c.id.desc()).limit(limit)
        if before is not None:
            wanted = wanted.where(audit.c.id < before)
        if target is not None:
            wanted = wanted.where(audit.c.target == target)
        async with self._database.read() as connection:
            return [_row(row) for row in (await connection.execute(wanted)).mappings()]


def _text(told: Told | None) -> str | None:
    return None if told is None else msgspec.json.encode(told).decode()


def _row(row: RowMapping) -> AuditRow:
    fields = dict(row)
    for name in ("before", "after"):
        fields[name] = None if fields[name] is None else msgspec.json.decode(fields[name])
    return AuditRow(**fields)
