"""Roll-ups: the calls of each hour, counted as their rows are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.call_rows import Row
from app.store.schema import COUNTED, ROLLED, rollup_buckets, rollups
from app.store.statements import ForMany, or_add

LATENCY, TTFT = 0, 1
"""Kinds of histograms."""
HOUR_WIDTH = 13
"""Characters of a time in UTC that name its hour."""

Group = tuple[str, ...]
"""An hour, then what `ROLLED` says."""

_SUMS = (*COUNTED, "cost_nano")
_KEY = ("hour", *ROLLED)
_NO_SUCH_MODEL = "model_not_found"
_ADD = ForMany(
    # Inline: nobody asks for the ids.
    insert(rollups).values({name: bindparam(name) for name in (*_KEY, *_SUMS)}).inline(),
    or_add(rollups, _KEY, _SUMS),
)
_BUCKET = ("rollup", "kind", "bucket", "count")
_ADD_BUCKET = ForMany(
    insert(rollup_buckets).from_select(
        _BUCKET,
        select(
            rollups.c.id,
            *(bindparam(f"new_{name}", type_=rollup_buckets.c[name].type) for name in _BUCKET[1:]),
        ).where(*(rollups.c[name] == bindparam(f"of_{name}") for name in _KEY)),
    ),
    or_add(rollup_buckets, _BUCKET[:3], ["count"]),
)


class HourCounts:
    """What the rows of one batch add to the roll-ups."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._sums: dict[Group, Counter[str]] = {}
        self._buckets: Counter[tuple[int, int, Group]] = Counter()
        for row in rows:
            self._count(row)

    async def add(self, connection: AsyncConnection) -> None:
        """Add them, in the transaction that this connection is in."""
        # In one order everywhere: two instances that lock the same rows cannot wait for each other.
        counted = [(*group, *(sums[name] for name in _SUMS)) for group, sums in sorted(self._sums.items())]
        await _ADD.run(connection, counted)
        buckets = sorted(self._buckets.items(), key=lambda each: (each[0][2], each[0]))
        places = [(kind, bucket, count, *group) for (kind, bucket, group), count in buckets]
        await _ADD_BUCKET.run(connection, places)

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
