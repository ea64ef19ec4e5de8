"""One model at several targets, side by side: from the tries, which know what each provider did."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    RowMapping,
    Select,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.call_sums import CallFilter, condition
from app.store.histogram import Percentiles, percentiles
from app.store.money import dollars
from app.store.rollups import LATENCY, TTFT
from app.store.schema import attempts, calls
from providers.types import Json

Place = tuple[str, str]
"""A provider, and the model as it names it."""

_NO_ERRORS = ("success", "cancelled")


@dataclass(frozen=True, slots=True)
class TargetFigures:
    """What one provider's model did. Costs are of the tries whose cost is known; None is of none."""

    provider: str
    model: str
    calls: int
    """Tries: a call that is retried or falls back has several."""
    errors: int
    cost_per_1k_calls: str | None
    """Dollars."""
    cost_per_mtok: str | None
    """Dollars a million tokens, of the prompt and of the answer."""
    latency: Percentiles | None
    """Of the tries that succeeded; None where there is none."""
    ttft: Percentiles | None
    """From the try's start to the answer's first byte."""

    @property
    def error_ratio(self) -> float:
        """The share of the tries that failed."""
        return self.errors / self.calls


async def compare_targets(connection: AsyncConnection, model: str, where: CallFilter) -> list[TargetFigures]:
    """Compare targets in one snapshot of the database: of a public model, or of a provider's by its own name."""
    chosen = and_(or_(attempts.c.model == model, calls.c.model == model), condition(calls, where))
    histograms: dict[Place, dict[int, dict[int, int]]] = defaultdict(lambda: {LATENCY: {}, TTFT: {}})
    for row in (await connection.execute(_counting(chosen))).mappings():
        histograms[row["provider"], row["model"]][row["kind"]][row["bucket"]] = row["count"]
    found = (await connection.execute(_summing(chosen))).mappings()
    return [_figures(row, histograms[row["provider"], row["model"]]) for row in found]


def _summing(chosen: ColumnElement[bool]) -> Select[*tuple[Json, ...]]:
    priced = attempts.c.cost_nano.is_not(None)
    place = (attempts.c.provider, attempts.c.model)
    tokens = func.coalesce(attempts.c.input_tokens, 0) + func.coalesce(attempts.c.output_tokens, 0)
    summed = select(
        *place,
        func.count().label("calls"),
        _whole(case((attempts.c.outcome.in_(_NO_ERRORS), 0), else_=1)).label("errors"),
        func.count(attempts.c.cost_nano).label("priced"),
        _whole(attempts.c.cost_nano).label("nanos"),
        _whole(case((priced, tokens), else_=0)).label("tokens"),
    )
    return (
        summed.join(calls, attempts.c.call_id == calls.c.id).where(chosen).group_by(*place).order_by(*place)
    )


def _whole(amount: ColumnElement[int]) -> ColumnElement[int]:
    # A sum of whole numbers is a decimal one to PostgreSQL.
    return func.coalesce(func.sum(amount).cast(BigInteger), 0)


def _counting(chosen: ColumnElement[bool]) -> Select[*tuple[Json, ...]]:
    kinds = ((LATENCY, attempts.c.latency_bucket), (TTFT, attempts.c.ttft_bucket))
    parts = union_all(
        *(
            select(attempts.c.provider, attempts.c.model, literal(kind).label("kind"), bucket.label("bucket"))
            .join(calls, attempts.c.call_id == calls.c.id)
            .where(and_(chosen, bucket.is_not(None)))
            for kind, bucket in kinds
        )
    ).subquery()
    return select(*parts.c, func.count().label("count")).group_by(*parts.c)


def _figures(row: RowMapping, histograms: dict[int, dict[int, int]]) -> TargetFigures:
    return TargetFigures(
        provider=row["provider"],
        model=row["model"],
        calls=row["calls"],
        errors=row["errors"],
        cost_per_1k_calls=_each(row["nanos"] * 1000, row["priced"]),
        cost_per_mtok=_each(row["nanos"] * 1_000_000, row["tokens"]),
        latency=percentiles(histograms[LATENCY]),
        ttft=percentiles(histograms[TTFT]),
    )


def _each(nanos: int, parts: int) -> str | None:
    return dollars(-(-nanos // parts)) if parts else None
