"""What was used, for people and programs: a table, CSV, JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.store.calls import CallSum
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

UNKNOWN = "unknown"

_COUNTS = ("calls", "errors", "input_tokens", "output_tokens", "cached_tokens")
_TIMES = tuple(f"{kind}_{share}_ms" for kind in ("latency", "ttft") for share in Percentiles._fields)


def usage_table(sums: Sequence[CallSum]) -> str:
    """Write the sums as aligned text, one line a group. A cost that is not known whole is `unknown`."""
    if not sums:
        return "No calls in this time."
    names = list(sums[0].group)
    titles = (name.removeprefix("latency_").replace("_", " ") for name in (*_COUNTS, *_TIMES))
    head = [*names, *titles, "cost $"]
    rows = [
        [*map(printable, line.group.values()), *_counts(line), *_times(line), _cost(line)] for line in sums
    ]
    return aligned_text(head, rows, left=len(names))


def usage_csv(sums: Sequence[CallSum]) -> str:
    """Write the sums as CSV (RFC 4180) with a header line. A cost that is not known whole is `unknown`."""
    names = list(sums[0].group) if sums else []
    head = [*names, *_COUNTS, "cost", "known_cost", "unpriced_calls", *_TIMES]
    return csv_text(
        head,
        [
            [
                *(inert(value or "") for value in line.group.values()),
                *_counts(line),
                *(line.cost or UNKNOWN, line.known_cost, str(line.unpriced)),
                *_times(line, none=""),
            ]
            for line in sums
        ],
    )


def usage_json(sums: Sequence[CallSum]) -> str:
    """Write the sums as a JSON list. Costs are decimal strings; one that is not known whole is null."""
    return json_text([_object(line) for line in sums])


def _object(line: CallSum) -> dict[str, Json]:
    counts = {name: getattr(line, name) for name in _COUNTS}
    costs = {"cost": line.cost, "known_cost": line.known_cost, "unpriced_calls": line.unpriced}
    return {**line.group, **counts, **costs, **_percentiles(line)}


def _percentiles(line: CallSum) -> Mapping[str, float | None]:
    known = [*(line.latency or (None,) * 3), *(line.ttft or (None,) * 3)]
    return {name: rounded(time) for name, time in zip(_TIMES, known, strict=True)}


def _times(line: CallSum, none: str = "-") -> list[str]:
    return [milliseconds(time, none) for time in _percentiles(line).values()]


def _counts(line: CallSum) -> list[str]:
    return [str(getattr(line, name)) for name in _COUNTS]


def _cost(line: CallSum) -> str:
    if line.cost is not None:
        return line.cost
    return f"{UNKNOWN} ({line.known_cost} + {line.unpriced} unpriced)"
