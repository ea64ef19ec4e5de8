"""Calls added up by what they have in common: whole hours from roll-ups, the rest from rows."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal, get_args

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    RowMapping,
    Select,
    Subquery,
    Table,
    and_,
    case,
    func,
    literal,
    select,
    true,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.call_rows import text_of_time
from app.store.histogram import Percentiles, percentiles
from app.store.money import dollars
from app.store.rollups import HOUR_WIDTH, LATENCY, TTFT
from app.store.schema import calls, rollup_buckets, rollups
from app.store.tags import tag_value
from providers.types import Json

Dimension = Literal[
    "key",
    "model",
    "provider",
    "day",
    "hour",
    "plan",
    "operation",
    "outcome",
    "user",
    "team",
    "organisation",
    "upstream_model",
]
TAG = "tag:"
"""What a dimension that is a tag begins with."""
HOUR = 3600

_IN_ROWS: tuple[Dimension, ...] = get_args(Dimension)
_IN_ROLLUPS = frozenset(_IN_ROWS) - {"user", "team", "organisation", "upstream_model"}
_TIMES = {"day": 10, "hour": HOUR_WIDTH}
"""Characters of a time in UTC that name it."""
_TAG_NAME = re.compile(r'[^"\\\x00-\x1f]+')
_NO_ERRORS = ("success", "client_cancelled", "interrupted")
_TOKENS = ("input_tokens", "output_tokens", "cached_tokens")
_AT_ONCE = 1000
"""Rows that are looked at in one turn of the event loop."""
_SUMS = ("calls", "errors", *_TOKENS, "cost_nano", "unpriced")

Groups = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls: `since` ≤ time < `until` in Unix seconds, and exact names. None is any."""

    since: float | None = None
    until: float | None = None
    key: str | None = None
    model: str | None = None
    provider: str | None = None
    plan: str | None = None
    operation: str | None = None
    outcome: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallSum:
    """The calls of one group, added up. Tokens that nobody reported count as none."""

    group: Mapping[str, str | None]
    calls: int
    errors: int
    """Calls that did not succeed; a client that left is none, nor is the gateway's own end."""
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost: str | None
    """Dollars; None as soon as the cost of one call is unknown."""
    known_cost: str
    """Dollars of the calls whose cost is known."""
    unpriced: int
    """Calls that went to a provider and whose cost is unknown."""
    latency: Percentiles | None = None
    """Of the calls that succeeded; None where there is none."""
    ttft: Percentiles | None = None
    """From the request's head to the answer's first byte, of the same."""


@dataclass(frozen=True, slots=True)
class _Source:
    """A table with calls in it, counted or one by one."""

    table: Table
    where: CallFilter


async def sum_calls(
    connection: AsyncConnection, by: Sequence[str], where: CallFilter, most: int | None = None
) -> list[CallSum]:
    """Add calls up by dimensions, in one snapshot of the database. Raises `ValueError`, also for more than `most` groups."""
    if not by or not all(name in _IN_ROWS or _tag(name) for name in by):
        raise ValueError(f"usage is summed by one or more of {', '.join(_IN_ROWS)}, {TAG}NAME")
    oldest = (await connection.execute(select(func.min(calls.c.timestamp)))).scalar()
    sources = list(_sources(by, where, oldest))
    names = [f"by_{i}" for i in range(len(by))]
    # One more than there may be tells, without all the others being looked at.
    limited = _summing(sources, by).limit(None if most is None else most + 1)
    summed = (await connection.execute(limited)).mappings().all()
    if most is not None and len(summed) > most:
        raise ValueError(f"there are more than {most} groups; narrow it by time or by name")
    histograms: dict[Groups, dict[int, dict[int, int]]] = defaultdict(lambda: {LATENCY: {}, TTFT: {}})
    for part in (await connection.execute(_counting(sources, by))).mappings().partitions(_AT_ONCE):
        for row in part:
            histograms[_groups(row, names)][row["kind"]][row["bucket"]] = row["count"]
        # Calls go on beside a report.
        await asyncio.sleep(0)
    return [_sum(by, row, histograms[_groups(row, names)]) for row in summed]


def condition(table: Table, where: CallFilter) -> ColumnElement[bool]:
    """Say which rows of `calls` or `rollups` a filter means. Raises `ValueError`."""
    parts = [
        table.c[name] == value
        for name in ("key", "model", "provider", "plan", "operation", "outcome")
        if (value := getattr(where, name)) is not None
    ]
    parts += [_dimension(table, TAG + name) == value for name, value in where.tags.items()]
    time, width = (table.c.hour, HOUR_WIDTH) if table is rollups else (table.c.timestamp, None)
    if where.since is not None:
        parts.append(time >= _text(where.since)[:width])
    if where.until is not None:
        parts.append(time < _text(where.until)[:width])
    return and_(true(), *parts)


def _sources(by: Sequence[str], where: CallFilter, oldest: str | None) -> Iterator[_Source]:
    """Give where the calls are to be found, each in one place alone."""
    if where.tags or not set(by) <= _IN_ROLLUPS:
        yield _Source(calls, where)
        return
    # Where the rows of an hour are gone, the whole of it counts in the period that its begin is in.
    since, until = (_whole_if_gone(end, oldest) for end in (where.since, where.until))
    first = None if since is None else -(-since // HOUR) * HOUR
    last = None if until is None else until // HOUR * HOUR
    if first is not None and last is not None and first >= last:
        yield _Source(calls, replace(where, since=since, until=until))
        return
    yield _Source(rollups, replace(where, since=first, until=last))
    if since != first:
        yield _Source(calls, replace(where, since=since, until=first))
    if until != last:
        yield _Source(calls, replace(where, since=last, until=until))


def _whole_if_gone(end: float | None, oldest: str | None) -> float | None:
    gone = end is not None and (oldest is None or _text(end) < oldest)
    return end // HOUR * HOUR if gone and end is not None else end


def _summing(sources: Sequence[_Source], by: Sequence[str]) -> Select[*tuple[Json, ...]]:
    parts = _together(
        [
            select(*_labelled(source.table, by), *_amounts(source.table)).where(
                condition(source.table, source.where)
            )
            for source in sources
        ]
    )
    groups = [parts.c[f"by_{i}"] for i in range(len(by))]
    sums = [func.sum(parts.c[name]).cast(BigInteger).label(name) for name in _SUMS]
    return select(*groups, *sums).group_by(*groups).order_by(*(each.nulls_first() for each in groups))


def _counting(sources: Sequence[_Source], by: Sequence[str]) -> Select[*tuple[Json, ...]]:
    parts = _together([counted for source in sources for counted in _histograms(source, by)])
    groups = [*(parts.c[f"by_{i}"] for i in range(len(by))), parts.c.kind, parts.c.bucket]
    return select(*groups, func.sum(parts.c.count).cast(BigInteger).label("count")).group_by(*groups)


def _together(parts: Sequence[Select[*tuple[Json, ...]]]) -> Subquery:
    return union_all(*parts).subquery()


def _histograms(source: _Source, by: Sequence[str]) -> Iterator[Select[*tuple[Json, ...]]]:
    table, chosen = source.table, condition(source.table, source.where)
    if table is rollups:
        held = rollup_buckets.c
        counted = select(*_labelled(table, by), held.kind, held.bucket, held.count)
        yield counted.join(rollup_buckets, held.rollup == rollups.c.id).where(chosen)
        return
    for kind, bucket in ((LATENCY, calls.c.latency_bucket), (TTFT, calls.c.ttft_bucket)):
        one = select(
            *_labelled(table, by),
            literal(kind).label("kind"),
            bucket.label("bucket"),
            literal(1).label("count"),
        )
        yield one.where(and_(chosen, bucket.is_not(None)))


def _amounts(table: Table) -> list[ColumnElement[int]]:
    if table is rollups:
        errors = case((rollups.c.outcome.in_(_NO_ERRORS), 0), else_=rollups.c.calls)
        return [errors.label(name) if name == "errors" else rollups.c[name] for name in _SUMS]
    unpriced = and_(calls.c.cost_nano.is_(None), calls.c.attempts > 0)
    amounts: dict[str, ColumnElement[int]] = {
        "calls": literal(1),
        "errors": case((calls.c.outcome.in_(_NO_ERRORS), 0), else_=1),
        "unpriced": case((unpriced, 1), else_=0),
    }
    return [amounts.get(name, func.coalesce(calls.c.get(name), 0)).label(name) for name in _SUMS]


def _labelled(table: Table, by: Sequence[str]) -> list[ColumnElement[Json]]:
    return [_dimension(table, name).label(f"by_{i}") for i, name in enumerate(by)]


def _dimension(table: Table, name: str) -> ColumnElement[Json]:
    if name in _TIMES:
        return func.substr(table.c.hour if table is rollups else table.c.timestamp, 1, _TIMES[name])
    if tag := _tag(name):
        return tag_value(table.c.tags, tag)
    # Roll-ups hold an empty text for none.
    return func.nullif(table.c[name], "")


def _tag(name: str) -> str | None:
    if not name.startswith(TAG):
        return None
    tag = name.removeprefix(TAG)
    if not _TAG_NAME.fullmatch(tag):
        raise ValueError(f"{tag[:40]!r} is not the name of a tag; write `{TAG}project`")
    return tag


def _groups(row: RowMapping, names: Sequence[str]) -> Groups:
    return tuple(row[name] for name in names)


def _sum(by: Sequence[str], row: RowMapping, histograms: Mapping[int, Mapping[int, int]]) -> CallSum:
    known = dollars(row["cost_nano"])
    return CallSum(
        group={name: row[f"by_{i}"] for i, name in enumerate(by)},
        calls=row["calls"],
        errors=row["errors"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cached_tokens=row["cached_tokens"],
        cost=None if row["unpriced"] else known,
        known_cost=known,
        unpriced=row["unpriced"],
        latency=percentiles(histograms[LATENCY]),
        ttft=percentiles(histograms[TTFT]),
    )


def _text(seconds: float) -> str:
    return text_of_time(datetime.fromtimestamp(seconds, UTC))
