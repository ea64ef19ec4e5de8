"""The calls: one row each, written once and counted as they are written; listed, summed, let go of."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import RowMapping, bindparam, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.call_rows import CallRows, RowRejected, distinct, record_of, rows_of
from app.store.call_sums import CallFilter, CallSum, Dimension, condition, sum_calls
from app.store.comparison import TargetFigures, compare_targets
from app.store.database import Database, Refused, Taken, WriteConflict
from app.store.rollups import HourCounts
from app.store.schema import attempts, budget_spend, calls, open_calls, spools
from app.store.statements import ForMany, or_add, or_replace
from app.telemetry.record import CallRecord, Intent

__all__ = ["CallFilter", "CallStore", "CallSum", "Dimension", "Opened", "RowRejected", "TargetFigures"]

LIST_LIMIT = 10_000
"""Rows of one listing."""

_HELD_FOR = 20
"""Records after which the event loop turns to calls that are running."""

_TRIES = 5
"""How often a batch is written anew because another instance was in the way."""

_INSERT_CALLS = ForMany(insert(calls))
_INSERT_ATTEMPTS = ForMany(insert(attempts))
_ADD_SPENT = ForMany(
    insert(budget_spend), or_add(budget_spend, ("subject", "period", "period_start"), ["nano"])
)
_OPEN = ForMany(insert(open_calls), or_replace(["id"], ["intent"]))
_CLOSE = ForMany(delete(open_calls).where(open_calls.c.id == bindparam("ended")))
_PLACE = ForMany(insert(spools), or_replace(["name"], ["shipped"]))


class Opened(NamedTuple):
    """Calls that a run has begun, and whose end is not known yet. Of a call's intents the last one holds."""

    run: str
    intents: Sequence[Intent]


class CallStore:
    """The calls, what they add up to, and how far each spool file has come into them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert_calls(
        self, batch: Sequence[CallRecord], spool: str, offset: int, opened: Opened | None = None
    ) -> int:
        """Write calls, what they add up to and the spool's offset in one transaction; give the number of new rows.

        A call whose id is there already is left as it is and adds nothing. None of them is open any more.
        Raises `RowRejected`, `StoreUnavailable`.
        """
        found: dict[str, CallRows] = {}
        for position, record in enumerate(batch):
            if position % _HELD_FOR == 0:
                await asyncio.sleep(0)
            found.setdefault(distinct(record.id), rows_of(record))
        for _ in range(_TRIES - 1):
            try:
                return await self._write(found, (spool, offset), opened)
            except WriteConflict:
                await asyncio.sleep(0)
        return await self._write(found, (spool, offset), opened)

    async def _write(
        self, found: Mapping[str, CallRows], place: tuple[str, int], opened: Opened | None
    ) -> int:
        try:
            async with self._database.write() as connection:
                known = await _known(connection, found)
                new = [rows for call, rows in found.items() if call not in known]
                await _insert(connection, new)
                await _OPEN.run(connection, _opening(opened))
                await _CLOSE.run(connection, [(call,) for call in found])
                await _PLACE.run(connection, [place])
        except Taken as error:
            # A transaction that had not ended when we looked has written one of them: next time it is known.
            raise WriteConflict(str(error)) from error
        except Refused as error:
            raise RowRejected(str(error)) from error
        return len(new)

    async def open_intents(self, run: str, limit: int) -> list[Intent]:
        """Give some of the calls that a run has begun and not ended. Raises `StoreUnavailable`."""
        wanted = select(open_calls.c.intent).where(open_calls.c.run == run).order_by(open_calls.c.id)
        async with self._database.read() as connection:
            found = await connection.execute(wanted.limit(limit))
            return [msgspec.json.decode(text, type=Intent) for text in found.scalars()]

    async def forget_intent(self, id: str) -> None:
        """Take a call for ended without a row. Raises `StoreUnavailable`."""
        async with self._database.write() as connection:
            await connection.execute(delete(open_calls).where(open_calls.c.id == distinct(id)))

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
        wanted = select(calls).where(condition(calls, where or CallFilter()))
        wanted = wanted.order_by(calls.c.timestamp.desc(), calls.c.id).limit(limit)
        async with self._database.snapshot() as connection:
            rows = (await connection.execute(wanted)).mappings().all()
            tries = await _tries(connection, [row["id"] for row in rows])
        return [record_of(row, tries[row["id"]]) for row in rows]

    async def sum_calls(
        self, by: Sequence[str], where: CallFilter | None = None, most: int | None = None
    ) -> list[CallSum]:
        """Add the calls up by one or more dimensions, each a `Dimension` or `tag:NAME`. Times are in UTC.

        Roll-ups tell of whole hours where no dimension and no filter needs the rows, which may be gone after a
        while. Raises `ValueError`, also for more than `most` groups, and `StoreUnavailable`.
        """
        async with self._database.snapshot() as connection:
            return await sum_calls(connection, by, where or CallFilter(), most)

    async def compare(self, model: str, where: CallFilter | None = None) -> list[TargetFigures]:
        """Give the figures of each target that a model (a public one, or a provider's) was tried at.

        Raises `StoreUnavailable`.
        """
        async with self._database.snapshot() as connection:
            return await compare_targets(connection, model, where or CallFilter())


async def _known(connection: AsyncConnection, ids: Iterable[str]) -> set[str]:
    found = await connection.execute(select(calls.c.id).where(calls.c.id.in_(ids)))
    return set(found.scalars())


async def _insert(connection: AsyncConnection, new: Sequence[CallRows]) -> None:
    await _INSERT_CALLS.run(connection, [tuple(rows.call.values()) for rows in new])
    await _INSERT_ATTEMPTS.run(connection, [tuple(tried.values()) for rows in new for tried in rows.attempts])
    await _ADD_SPENT.run(connection, _spent(new))
    await HourCounts([rows.call for rows in new]).add(connection)


def _spent(new: Sequence[CallRows]) -> list[tuple[str, str, int, int]]:
    spent: Counter[tuple[str, str, int]] = Counter()
    for rows in new:
        for each in rows.charges:
            spent[each.subject, each.period, each.period_start] += each.nano
    # In one order everywhere: two instances that lock the same rows cannot wait for each other.
    return [(*key, nano) for key, nano in sorted(spent.items())]


def _opening(opened: Opened | None) -> list[tuple[str, str, str]]:
    if opened is None:
        return []
    return [
        (distinct(intent.id), opened.run, msgspec.json.encode(intent).decode()) for intent in opened.intents
    ]


async def _tries(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, list[RowMapping]]:
    wanted = select(attempts).where(attempts.c.call_id.in_(ids))
    tries: dict[str, list[RowMapping]] = defaultdict(list)
    for row in (await connection.execute(wanted.order_by(attempts.c.position))).mappings():
        tries[row["call_id"]].append(row)
    return tries
