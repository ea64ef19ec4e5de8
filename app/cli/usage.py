"""`switchgear usage`: what the calls in the database have used, summed or one by one."""

from __future__ import annotations

import asyncio
import csv
import io
import time
from collections.abc import Callable, Mapping, Sequence
from typing import get_args

import msgspec
import typer

from app.cli.database import database_of, exists
from app.cli.output import print_table
from app.cli.times import read_time
from app.config.storage import Storage
from app.store.call_sums import TAG, CallFilter, CallSum, Dimension
from app.store.calls import CallStore
from app.telemetry.record import CallRecord
from app.usage.report import UNKNOWN, usage_csv, usage_json, usage_table
from app.usage.report_forms import inert

_DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
_SUMS: Mapping[str, Callable[[Sequence[CallSum]], str]] = {
    "table": usage_table,
    "csv": usage_csv,
    "json": usage_json,
}
_COLUMNS = (
    *("timestamp", "request_id", "key", "model", "provider", "upstream_model", "status", "outcome"),
    *("input_tokens", "output_tokens", "cost", "duration_ms"),
)
_SHOWN = (
    "timestamp",
    "key",
    "model",
    "provider",
    "status",
    "input_tokens",
    "output_tokens",
    "cost",
    "duration_ms",
)


def dimensions(by: str) -> list[str]:
    """Read `key,day,tag:project`. Raises `typer.BadParameter`."""
    named = [part.strip() for part in by.split(",")]
    if unknown := [name for name in named if name not in _DIMENSIONS and not name.startswith(TAG)]:
        known = ", ".join((*_DIMENSIONS, f"{TAG}NAME"))
        raise typer.BadParameter(f"`{unknown[0]}` is none of {known}", param_hint="--by")
    return list(dict.fromkeys(named))


def tags(given: Sequence[str]) -> dict[str, str]:
    """Read `project=a` of each. Raises `typer.BadParameter`."""
    parts = [text.partition("=") for text in given]
    if wrong := [text for text, (name, sign, _) in zip(given, parts, strict=True) if not (name and sign)]:
        raise typer.BadParameter(f"`{wrong[0]}` is not like project=a", param_hint="--tag")
    return {name: value for name, _, value in parts}


def period(since: str | None, until: str | None) -> tuple[float | None, float | None]:
    """Read the two ends of a time, in Unix seconds. Raises `typer.BadParameter`."""
    now = time.time()
    begin = None if since is None else read_time(since, "--since", now, -1)
    end = None if until is None else read_time(until, "--until", now, -1)
    if begin is not None and end is not None and begin >= end:
        raise typer.BadParameter("is not after --since", param_hint="--until")
    return begin, end


def sums(storage: Storage, by: Sequence[str], where: CallFilter, form: str) -> None:
    """Print sums. Raises `StoreUnavailable`."""
    found = asyncio.run(_sums(storage, by, where)) if exists(storage) else []
    typer.echo(_SUMS[form](found).rstrip("\n"))


def calls(storage: Storage, limit: int, where: CallFilter, form: str) -> None:
    """Print the newest calls first. Raises `StoreUnavailable`."""
    _CALLS[form](asyncio.run(_calls(storage, limit, where)) if exists(storage) else [])


async def _sums(storage: Storage, by: Sequence[str], where: CallFilter) -> list[CallSum]:
    async with database_of(storage) as database:
        return await CallStore(database).sum_calls(by, where)


async def _calls(storage: Storage, limit: int, where: CallFilter) -> list[CallRecord]:
    async with database_of(storage) as database:
        return await CallStore(database).list_calls(limit, where)


def _table(found: Sequence[CallRecord]) -> None:
    if not found:
        typer.echo("No calls in this time.")
        return
    columns = [name.replace("_", " ") for name in _SHOWN]
    print_table(columns, [[_cell(record, name) or "-" for name in _SHOWN] for record in found])


def _csv(found: Sequence[CallRecord]) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for record in found:
        writer.writerow([inert(_cell(record, name)) for name in _COLUMNS])
    typer.echo(text.getvalue().rstrip("\n"))


def _json(found: Sequence[CallRecord]) -> None:
    typer.echo(msgspec.json.format(msgspec.json.encode(found)).decode())


_CALLS: Mapping[str, Callable[[Sequence[CallRecord]], None]] = {"table": _table, "csv": _csv, "json": _json}


def _cell(record: CallRecord, name: str) -> str:
    value = getattr(record, name)
    if name == "cost" and value is None:
        # What never reached a provider has cost nothing; of the rest nobody knows.
        return UNKNOWN if record.attempts else ""
    return "" if value is None else str(value)
