"""What a call has used, as metrics count it."""

from __future__ import annotations

from app.telemetry.record import CallRecord


def tokens_of(record: CallRecord) -> list[tuple[str, int]]:
    """Give the tokens of a call by kind, those that are known."""
    kinds = (
        ("input", record.input_tokens),
        ("output", record.output_tokens),
        ("cached", record.cached_tokens),
        ("cache_write", record.cache_write_tokens),
        ("reasoning", record.reasoning_tokens),
    )
    return [(kind, count) for kind, count in kinds if count]
