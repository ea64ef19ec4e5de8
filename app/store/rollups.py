"""Roll-ups: the calls of each hour, counted as their rows are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.call_rows import Row
from app.store.schema import COUNTED, ROLLED, rollups

LATENCY, TTFT = 0, 1
"""Kinds of histograms."""
HOUR_WIDTH = 13
"""Characters of a time in UTC that name its hour."""

Group = tuple[str, ...]
"""An hour, then what `ROLLED` says."""

_SUMS = (*COUNTED, "cost_nano")
_KEY = ("hour", *ROLLED)
_NO_SUCH_MODEL = "model_not_found"
_NEW = insert(rollups)
_ADD = str(
    _NEW.values(dict.fromkeys((*_KEY, *_SUMS)))
    .on_conflict_do_update(_KEY, set_={name: rollups.c[name] + _NEW.excluded[name] for name in _SUMS})
    .compile(dialect=sqlite.dialect())
)
_ADD_BUCKET = """
    INSERT INTO rollup_buckets (rollup, kind, bucket, count)
    SELECT id, ?, ?, ? FROM rollups
    WHERE hour = ? AND "key" = ? AND "plan" = ? AND model = ? AND provider = ? AND operation = ? AND outcome = ?
    ON CONFLICT (rollup, kind, bucket) DO UPDATE SET count = count + excluded.count
"""


class HourCounts:
    """What the rows of one batch add to the roll-ups."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._sums: dict[Group, Counter[str]] = {}
        self._buckets: Counter[tuple[int, int, Group]] = Counter()
        for row in rows:
            self._count(row)

    async def add(self, connection: AsyncConnection) -> None:
        """Add them, in the transaction that this connection is in."""
        if self._sums:
            counted = [(*group, *(sums[name] for name in _SUMS)) for group, sums in self._sums.items()]
            await connection.exec_driver_sql(_ADD, counted)
        if self._buckets:
            places = [(kind, bucket, count, *group) for (kind, bucket, group), count in self._buckets.items()]
            await connection.exec_driver_sql(_ADD_BUCKET, places)

    def _count(self, row: Row) -> None:
        group = (row["timestamp"][:HOUR_WIDTH], *(row[name] or "" for name in ROLLED))
        if row["error_type"] == _NO_SUCH_MODEL and not row["attempts"]:
            # A client can make up names for ever, and roll-ups are kept.
            group = tuple("" if name == "model" else part for name, part in zip(_KEY, group, strict=True))
        sums = self._sums.setdefault(group, Counter())
        sums["calls"] += 1
        # What never reached a provider has cost nothing, whatever the record says of its price.
        sums["unpriced"] += row["cost_nano"] is None and row["attempts"] > 0
        for name in _SUMS[2:]:
            sums[name] += row[name] or 0
        for kind, name in ((LATENCY, "latency_bucket"), (TTFT, "ttft_bucket")):
            if row[name] is not None:
                self._buckets[kind, row[name], group] += 1
