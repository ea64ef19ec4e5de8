"""The forms of a report: aligned text, CSV, JSON. Pure."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

import msgspec

from providers.types import Json

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_DIGITS = 3


def aligned_text(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int) -> str:
    """Write lines whose cells stand below each other, the first `left` ones flush left."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    return "\n".join(_aligned(row, widths, left=left) for row in (head, *rows))


def csv_text(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write CSV (RFC 4180) with a header line. Texts that are not ours go through `inert` before."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()


def json_text(rows: Sequence[dict[str, Json]]) -> str:
    """Write a JSON list."""
    return msgspec.json.format(msgspec.json.encode(rows)).decode()


def rounded(time: float | None) -> float | None:
    """Round a time to what a histogram knows of it: three digits."""
    if not time:
        return time
    return round(time, _DIGITS - 1 - math.floor(math.log10(time)))


def milliseconds(time: float | None, none: str = "-") -> str:
    """Write a time in milliseconds."""
    return none if time is None else f"{time:.{_DIGITS}f}".rstrip("0").rstrip(".")


def printable(value: str | None) -> str:
    """Write a text without control characters, which a terminal obeys and a client may send in a model's name."""
    return "".join(c if c.isprintable() else "?" for c in value) if value else "-"


def inert(value: str) -> str:
    """Write a text, which a client may have chosen, so that a spreadsheet does not run it as a formula."""
    return f"'{value}" if value.startswith(_FORMULA_STARTS) else value


def _aligned(row: Sequence[str], widths: Sequence[int], *, left: int) -> str:
    cells = (
        cell.ljust(width) if i < left else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells).rstrip()
