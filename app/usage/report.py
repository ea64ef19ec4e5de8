"""What was used, for people and programs: a table, CSV, JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import msgspec

from app.store.calls import CallSum
from providers.types import Json

UNKNOWN = "unknown"

_COUNTS = ("calls", "errors", "input_tokens", "output_tokens", "cached_tokens")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def usage_table(sums: Sequence[CallSum]) -> str:
    """Write the sums as aligned text, one line a group. A cost that is not known whole is `unknown`."""
    if not sums:
        return "No calls in this time."
    names = list(sums[0].group)
    head = [*names, *(name.replace("_", " ") for name in _COUNTS), "cost $"]
    rows = [
        [*(_printable(value) for value in line.group.values()), *_counts(line), _cost(line)] for line in sums
    ]
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    return "\n".join(_aligned(row, widths, left=len(names)) for row in (head, *rows))


def usage_csv(sums: Sequence[CallSum]) -> str:
    """Write the sums as CSV (RFC 4180) with a header line. A cost that is not known whole is `unknown`."""
    text = io.StringIO()
    writer = csv.writer(text)
    names = list(sums[0].group) if sums else []
    writer.writerow([*names, *_COUNTS, "cost", "known_cost", "unpriced_calls"])
    for line in sums:
        groups = [_inert(value or "") for value in line.group.values()]
        writer.writerow([*groups, *_counts(line), line.cost or UNKNOWN, line.known_cost, line.unpriced])
    return text.getvalue()


def usage_json(sums: Sequence[CallSum]) -> str:
    """Write the sums as a JSON list. Costs are decimal strings; one that is not known whole is null."""
    return msgspec.json.format(msgspec.json.encode([_object(line) for line in sums])).decode()


def _object(line: CallSum) -> dict[str, Json]:
    counts = {name: getattr(line, name) for name in _COUNTS}
    costs = {"cost": line.cost, "known_cost": line.known_cost, "unpriced_calls": line.unpriced}
    return {**line.group, **counts, **costs}


def _counts(line: CallSum) -> list[str]:
    return [str(getattr(line, name)) for name in _COUNTS]


def _cost(line: CallSum) -> str:
    if line.cost is not None:
        return line.cost
    return f"{UNKNOWN} ({line.known_cost} + {line.unpriced} unpriced)"


def _aligned(row: Sequence[str], widths: Sequence[int], *, left: int) -> str:
    cells = (
        cell.ljust(width) if i < left else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells).rstrip()


def _printable(value: str | None) -> str:
    # A model's name comes from a client, and a terminal obeys control characters.
    return "".join(c if c.isprintable() else "?" for c in value) if value else "-"


def _inert(value: str) -> str:
    # A model's name comes from a client, and spreadsheets run what looks like a formula.
    return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
