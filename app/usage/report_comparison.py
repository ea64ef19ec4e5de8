"""One model at several targets, side by side, for people and programs: a table, CSV, JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.store.calls import TargetFigures
from app.store.histogram import Percentiles
from app.usage.report_forms import (
    aligned_text,
    csv_text,
    inert,
    json_text,
    milliseconds,
    printable,
    rounded,
)
from providers.types import Json

_NAMES = ("provider", "model")
_SHARES = ("p50", "p95")
_TIMES = tuple(f"{kind}_{share}_ms" for kind in ("latency", "ttft") for share in _SHARES)
_FIGURES = ("calls", "errors", "error_ratio", "cost_per_1k_calls", "cost_per_mtok", *_TIMES)
_TITLES = {
    "error_ratio": "errors %",
    "cost_per_1k_calls": "$ per 1k calls",
    "cost_per_mtok": "$ per Mtok",
}


def comparison_table(found: Sequence[TargetFigures]) -> str:
    """Write the figures as aligned text, one line a target."""
    if not found:
        return "No calls of this model in this time."
    shown = [name for name in _FIGURES if name != "errors"]
    titles = [_TITLES.get(name, name.removeprefix("latency_").replace("_", " ")) for name in shown]
    rows = [
        [
            *(printable(text) for text in (each.provider, each.model)),
            *(_text(name, value, none="-") for name, value in _figures(each).items() if name in shown),
        ]
        for each in found
    ]
    return aligned_text([*_NAMES, *titles], rows, left=len(_NAMES))


def comparison_csv(found: Sequence[TargetFigures]) -> str:
    """Write the figures as CSV (RFC 4180) with a header line; what is not known is empty."""
    rows = [
        [inert(each.provider), inert(each.model), *(_plain(value) for value in _figures(each).values())]
        for each in found
    ]
    return csv_text([*_NAMES, *_FIGURES], rows)


def comparison_json(found: Sequence[TargetFigures]) -> str:
    """Write the figures as a JSON list. Costs are decimal strings; what is not known is null."""
    return json_text([{"provider": each.provider, "model": each.model, **_figures(each)} for each in found])


def _figures(each: TargetFigures) -> Mapping[str, Json]:
    times = [_share(each.latency, "p50"), _share(each.latency, "p95")]
    times += [_share(each.ttft, "p50"), _share(each.ttft, "p95")]
    figures = (each.calls, each.errors, round(each.error_ratio, 4))
    return dict(zip(_FIGURES, (*figures, each.cost_per_1k_calls, each.cost_per_mtok, *times), strict=True))


def _share(known: Percentiles | None, share: str) -> float | None:
    return None if known is None else rounded(getattr(known, share))


def _text(name: str, value: Json, *, none: str) -> str:
    if name == "error_ratio":
        return f"{value:.2%}".removesuffix("%")
    return milliseconds(value, none) if name in _TIMES else none if value is None else str(value)


def _plain(value: Json) -> str:
    return "" if value is None else str(value)
