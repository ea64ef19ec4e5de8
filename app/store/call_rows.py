"""A call's record as rows, and back. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from sqlalchemy import Integer, RowMapping, String, Table

from app.store.histogram import bucket_of
from app.store.money import dollars, nano_dollars
from app.store.schema import COST_LIMIT, attempts, calls
from app.telemetry.record import AttemptRecord, CallRecord, Charge
from providers.types import Json

Row = dict[str, Json]

_INT_LIMIT = (1 << 63) - 1
_COLUMNS = {table: [column.name for column in table.columns] for table in (calls, attempts)}
_TEXTS = {
    table: [
        (column.name, column.type.length)
        for column in table.columns
        if isinstance(column.type, String) and column.type.length
    ]
    for table in (calls, attempts)
}
_NUMBERS = {
    table: [column.name for column in table.columns if isinstance(column.type, Integer)]
    for table in (calls, attempts)
}
_ID_LIMIT = dict(_TEXTS[calls])["id"]
_TRY_FIELDS = AttemptRecord.__struct_fields__


class RowRejected(Exception):
    """A row of the batch that the database will never take. Nothing of the batch was written."""


class CallRows(NamedTuple):
    """What one record becomes: rows by column."""

    call: Row
    attempts: list[Row]
    charges: Sequence[Charge]


def rows_of(record: CallRecord) -> CallRows:
    """Give the rows of a call. Raises `RowRejected`."""
    for charge in record.charges:
        if not 0 <= charge.nano <= COST_LIMIT:
            raise RowRejected(f"a charge is 0 to {COST_LIMIT:.0e} nano-dollars, not {charge.nano:.3e}")
    tries = [_attempt_row(record, position, tried) for position, tried in enumerate(record.tries)]
    return CallRows(_call_row(record), tries, record.charges)


def record_of(row: RowMapping, tries: Sequence[RowMapping]) -> CallRecord:
    """Give the record of a call from its row and those of its tries, which are in order."""
    # SQLAlchemy's names are a kind of text that msgspec does not take.
    fields = {str(name): value for name, value in row.items()}
    fields["cost"] = None if fields["cost_nano"] is None else dollars(fields["cost_nano"])
    fields["tags"] = msgspec.json.decode(fields["tags"])
    fields["charges"] = msgspec.json.decode(fields["charges"])
    fields["tries"] = [{name: tried[name] for name in _TRY_FIELDS} for tried in tries]
    return msgspec.convert(fields, CallRecord)


def text_of_time(moment: datetime) -> str:
    """Write a time in UTC, in one width for all, so that texts compare as times do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def distinct(id: str) -> str:
    """Give an id as it is stored: two long ones must not become one row by losing their ends."""
    if len(id) <= _ID_LIMIT:
        return id
    return id[: _ID_LIMIT - 65] + "#" + hashlib.sha256(id.encode()).hexdigest()


def _call_row(record: CallRecord) -> Row:
    fields = msgspec.structs.asdict(record)
    try:
        moment = datetime.fromisoformat(record.timestamp)
        fields["timestamp"] = text_of_time(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        if record.cost_nano is None and record.cost is not None:
            fields["cost_nano"] = nano_dollars(record.cost)
    except (ValueError, OverflowError) as error:
        raise RowRejected(str(error)) from error
    fields["id"] = distinct(record.id)
    fields["tags"] = msgspec.json.encode(record.tags).decode()
    fields["charges"] = msgspec.json.encode(record.charges).decode()
    done = record.outcome == "success"
    return _bounded(calls, fields | _buckets(record.duration_ms, record.ttft_ms, done=done))


def _attempt_row(record: CallRecord, position: int, tried: AttemptRecord) -> Row:
    fields = msgspec.structs.asdict(tried)
    if len(record.tries) == 1 and tried.input_tokens is None and tried.cost_nano is None:
        # What the call has used, its only try has.
        fields |= {name: getattr(record, name) for name in ("input_tokens", "output_tokens")}
        fields["cost_nano"] = record.cost_nano
    fields |= {"call_id": distinct(record.id), "position": position}
    done = tried.outcome == "success"
    return _bounded(attempts, fields | _buckets(tried.duration_ms, tried.ttft_ms, done=done))


def _buckets(duration_ms: float, ttft_ms: float | None, *, done: bool) -> Row:
    # How long it took to fail, or until its client left, says nothing about how fast a provider is.
    return {
        "latency_bucket": bucket_of(duration_ms) if done else None,
        "ttft_bucket": bucket_of(ttft_ms) if done and ttft_ms is not None else None,
    }


def _bounded(table: Table, fields: Row) -> Row:
    row = {name: fields[name] for name in _COLUMNS[table]}
    for name, limit in _TEXTS[table]:
        text = row[name]
        if text is not None and (len(text) > limit or "\0" in text):
            row[name] = text.replace("\0", "")[:limit]
    for name in _NUMBERS[table]:
        number = row[name]
        if number is not None and abs(number) > _INT_LIMIT:
            raise RowRejected(f"{number:.3e} is beyond a 64-bit integer")
    return row
