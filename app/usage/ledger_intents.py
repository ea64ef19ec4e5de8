"""What an intent tells when its run has died. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from app.telemetry.record import CallRecord, Intent
from app.usage.frames import Entry


def split(entries: Sequence[Entry]) -> tuple[list[CallRecord], list[Intent]]:
    """Part entries into the records, and the intents whose record is not among them."""
    records = [entry for entry in entries if isinstance(entry, CallRecord)]
    ended = {record.id for record in records}
    return records, [entry for entry in entries if isinstance(entry, Intent) and entry.id not in ended]


def interrupted(intent: Intent) -> CallRecord:
    """Give the record of a call whose gateway died in it: its prompt is estimated, its reservation is charged.

    The provider may have been asked, so it counts as one try, of which nothing is known.
    """
    return CallRecord(
        id=intent.id,
        timestamp=intent.timestamp,
        level="error",
        request_id=intent.request_id,
        key=intent.key,
        user=intent.user,
        team=intent.team,
        organisation=intent.organisation,
        plan=intent.plan,
        method=intent.method,
        path=intent.path,
        operation=intent.operation,
        status=499,
        model=intent.model,
        provider=None,
        upstream_model=None,
        attempts=1,
        fallback=False,
        stream=intent.stream,
        input_tokens=intent.input_tokens,
        output_tokens=None,
        cached_tokens=None,
        cache_write_tokens=None,
        reasoning_tokens=None,
        usage_source="estimated",
        cost_nano=intent.cost_nano,
        price_version=intent.price_version,
        charges=intent.charges,
        ttft_ms=None,
        duration_ms=0.0,
        upstream_ms=0.0,
        overhead_ms=0.0,
        outcome="interrupted",
        error_type=None,
        tags=intent.tags,
    )
