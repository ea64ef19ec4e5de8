"""The calls: one row each, written once, listed and summed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import msgspec
from sqlalchemy import ColumnElement, RowMapping, Select, String, and_, case, delete, func, select, true
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DataError, IntegrityError

from app.store.database import Database
from app.store.money import dollars, nano_dollars
from app.store.schema import calls, spools
from app.telemetry.record import CallRecord
from providers.types import Json

Dimension = Literal["key", "model", "provider", "day"]

LIST_LIMIT = 10_000
"""Rows of one listing."""

_DIMENSIONS: Mapping[str, ColumnElement[str | None]] = {
    "key": calls.c.key,
    "model": calls.c.model,
    "provider": calls.c.provider,
    "day": func.substr(calls.c.timestamp, 1, 10),
}
_ERRORS = ("refused", "upstream_error", "truncated", "internal_error")
# What never reached a provider has cost nothing, whatever the record says of its price.
_UNPRICED = and_(calls.c.cost_nano.is_(None), calls.c.attempts > 0)
_TEXT_LIMITS = {
    column.name: column.type.length if isinstance(column.type, String) else None for column in calls.columns
}
# Compiled once: doing it for every batch would cost the event loop three times as much.
_INSERT = str(insert(calls).on_conflict_do_nothing(["id"]).compile(dialect=sqlite.dialect()))
_INT_LIMIT = (1 << 63) - 1


class RowRejected(Exception):
    """A row of the batch that the database will never take. Nothing of the batch was written."""


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls: `since` ≤ time < `until` in Unix seconds, and exact names. None is any."""

    since: float | None = None
    until: float | None = None
    key: str | None = None
    model: str | None = None
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class CallSum:
    """The calls of one group, added up. Tokens that nobody reported count as none."""

    group: Mapping[str, str | None]
    calls: int
    errors: int
    """Calls that did not succeed; a client that left is none."""
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost: str | None
    """Dollars; None as soon as the cost of one call is unknown."""
    known_cost: str
    """Dollars of the calls whose cost is known."""
    unpriced: int
    """Calls that went to a provider and whose cost is unknown."""


class CallStore:
    """The `calls` table, and how far each spool file has come into it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert_calls(self, batch: Sequence[CallRecord], spool: str, offset: int) -> int:
        """Write the calls and the spool's offset in one transaction; give the number of new rows.

        A call whose id is there already is left as it is. Raises `RowRejected`, `StoreUnavailable`.
        """
        place = insert(spools).values(name=spool, shipped=offset)
        place = place.on_conflict_do_update(index_elements=["name"], set_={"shipped": offset})
        rows = [_row(record) for record in batch]
        try:
            async with self._database.write() as connection:
                new = 0
                if rows:
                    result = await connection.exec_driver_sql(_INSERT, rows)
                    new = result.rowcount
                await connection.execute(place)
        except (IntegrityError, DataError) as error:
            raise RowRejected(str(error.orig)) from error
        return new

    async def spool_offset(self, spool: str) -> int:
        """Give the byte offset up to which a spool file is shipped. Raises `StoreUnavailable`."""
        async with self._database.read() as connection:
            found = await connection.execute(select(spools.c.shipped).where(spools.c.name == spool))
            return found.scalar() or 0

    async def forget_spool(self, spool: str) -> None:
        """Drop the offset of a spool file that is gone. Raises `StoreUnavailable`."""
        async with self._database.write() as connection:
            await connection.execute(delete(spools).where(spools.c.name == spool))

    async def list_calls(self, limit: int, where: CallFilter | None = None) -> list[CallRecord]:
        """Give the newest calls first. Raises `ValueError`, `StoreUnavailable`."""
        if not 1 <= limit <= LIST_LIMIT:
            raise ValueError(f"a limit is from 1 to {LIST_LIMIT}, not {limit}")
        wanted = select(calls).where(_condition(where or CallFilter()))
        wanted = wanted.order_by(calls.c.timestamp.desc(), calls.c.id).limit(limit)
        async with self._database.read() as connection:
            found = await connection.execute(wanted)
            return [_record(row) for row in found.mappings()]

    async def sum_calls(self, by: Sequence[Dimension], where: CallFilter | None = None) -> list[CallSum]:
        """Add the calls up by one or more dimensions (`day` in UTC). Raises `ValueError`, `StoreUnavailable`."""
        if not by or not set(by) <= set(_DIMENSIONS):
            raise ValueError(f"usage is summed by one or more of {', '.join(_DIMENSIONS)}")
        async with self._database.read() as connection:
            found = await connection.execute(_summing(by, where or CallFilter()))
            return [_sum(by, row) for row in found.mappings()]


def _summing(by: Sequence[Dimension], where: CallFilter) -> Select[*tuple[Json, ...]]:
    groups = [_DIMENSIONS[name] for name in by]
    return (
        select(
            *(group.label(f"by_{name}") for name, group in zip(by, groups, strict=True)),
            func.count().label("calls"),
            func.coalesce(func.sum(case((calls.c.outcome.in_(_ERRORS), 1), else_=0)), 0).label("errors"),
            func.coalesce(func.sum(calls.c.input_tokens), 0).label("input_tokens"),
            func.coalesce(func.sum(calls.c.output_tokens), 0).label("output_tokens"),
            func.coalesce(func.sum(calls.c.cached_tokens), 0).label("cached_tokens"),
            func.coalesce(func.sum(calls.c.cost_nano), 0).label("nanos"),
            func.sum(case((_UNPRICED, 1), else_=0)).label("unpriced"),
        )
        .where(_condition(where))
        .group_by(*groups)
        .order_by(*groups)
    )


def _sum(by: Sequence[Dimension], row: RowMapping) -> CallSum:
    known = dollars(row["nanos"])
    return CallSum(
        group={name: row[f"by_{name}"] for name in by},
        calls=row["calls"],
        errors=row["errors"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cached_tokens=row["cached_tokens"],
        cost=None if row["unpriced"] else known,
        known_cost=known,
        unpriced=row["unpriced"],
    )


def _condition(where: CallFilter) -> ColumnElement[bool]:
    parts: list[ColumnElement[bool]] = [
        _DIMENSIONS[name] == value
        for name, value in (("key", where.key), ("model", where.model), ("provider", where.provider))
        if value is not None
    ]
    if where.since is not None:
        parts.append(calls.c.timestamp >= _text_of_time(datetime.fromtimestamp(where.since, UTC)))
    if where.until is not None:
        parts.append(calls.c.timestamp < _text_of_time(datetime.fromtimestamp(where.until, UTC)))
    return and_(true(), *parts)


def _text_of_time(moment: datetime) -> str:
    # One width for all, so that texts compare as times do.
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _row(record: CallRecord) -> tuple[Json, ...]:
    fields = msgspec.structs.asdict(record)
    try:
        moment = datetime.fromisoformat(record.timestamp)
        fields["timestamp"] = _text_of_time(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        fields["cost_nano"] = None if record.cost is None else nano_dollars(record.cost)
    except (ValueError, OverflowError) as error:
        raise RowRejected(str(error)) from error
    fields["id"] = _distinct(record.id)
    fields["tags"] = msgspec.json.encode(record.tags).decode()
    fields["tries"] = msgspec.json.encode(record.tries).decode()
    return tuple(_bounded(fields[name], limit) for name, limit in _TEXT_LIMITS.items())


def _bounded(value: Json, limit: int | None) -> Json:
    if isinstance(value, str):
        return value.replace("\0", "")[:limit]
    if isinstance(value, int) and abs(value) > _INT_LIMIT:
        raise RowRejected(f"{value:.3e} is beyond a 64-bit integer")
    return value


def _distinct(id: str) -> str:
    # Two long ids must not become one row by losing their ends.
    limit = _TEXT_LIMITS["id"] or 0
    if len(id) <= limit:
        return id
    return id[: limit - 65] + "#" + hashlib.sha256(id.encode()).hexdigest()


def _record(row: RowMapping) -> CallRecord:
    # SQLAlchemy's names are a kind of text that msgspec does not take.
    fields = {str(name): value for name, value in row.items()}
    nanos = fields.pop("cost_nano")
    fields["cost"] = None if nanos is None else dollars(nanos)
    fields["tags"] = msgspec.json.decode(fields["tags"])
    fields["tries"] = msgspec.json.decode(fields["tries"])
    return msgspec.convert(fields, CallRecord)
