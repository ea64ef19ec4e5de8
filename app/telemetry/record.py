"""The record of one call: the one list of fields that logs, metrics and the ledger may tell.

It is built from named fields and never by copying a request, so that nothing slips in.
"""

from __future__ import annotations

from typing import Literal

import msgspec

UsageSource = Literal["provider", "estimated", "none"]
Level = Literal["info", "warning", "error"]
Outcome = Literal[
    "success", "refused", "upstream_error", "truncated", "client_cancelled", "interrupted", "internal_error"
]


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One try of one target."""

    provider: str
    model: str
    outcome: str
    """`success`, `cancelled`, or the error's code as `app/errors.py` gives it."""
    status: int | None
    """The upstream's HTTP status, where it sent one."""
    duration_ms: float


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a client, as it ended. Times in milliseconds, `timestamp` RFC 3339 in UTC."""

    id: str
    """Ours and unique: what makes a row of the ledger one. A client may send a request id twice."""
    timestamp: str
    level: Level = "info"
    event: str = "call"
    request_id: str
    key: str | None
    """The key's name, never the key."""
    user: str | None = None
    team: str | None = None
    method: str
    path: str
    operation: str
    status: int
    """The HTTP status sent; 499 where the client left before one was."""
    model: str | None
    """The model as the client named it."""
    provider: str | None
    upstream_model: str | None
    """The model that answered, as the provider names it."""
    attempts: int
    fallback: bool
    """Whether a target other than the first of the plan answered."""
    cache: str | None = None
    stream: bool
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    usage_source: UsageSource
    cost: str | None = None
    """Dollars as a decimal string; null is unknown."""
    ttft_ms: float | None
    duration_ms: float
    upstream_ms: float
    """Spent waiting for providers."""
    overhead_ms: float
    """The gateway's own part: what is left of the duration up to the first byte of the answer."""
    outcome: Outcome
    error_type: str | None
    """The error's code."""
    tags: dict[str, str] = {}
    tries: list[AttemptRecord] = []
