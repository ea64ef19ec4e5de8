"""The record of one call: the one list of fields that logs, metrics and the ledger may tell.

It is built from named fields and never by copying a request, so that nothing slips in.
"""

from __future__ import annotations

from typing import Literal

import msgspec

UsageSource = Literal["provider", "estimated", "none"]
Level = Literal["info", "warning", "error"]
Outcome = Literal[
    "success",
    "refused",
    "upstream_error",
    "truncated",
    "client_cancelled",
    "deadline_exceeded",
    "interrupted",
    "internal_error",
]


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One try of one target."""

    provider: str
    model: str
    outcome: str
    """`success`, `cancelled`, `hedge_lost`, or the error's code as `app/errors.py` gives it."""
    status: int | None
    """The upstream's HTTP status, where it sent one."""
    duration_ms: float
    started_ms: float | None = None
    """After the call's own start."""
    ttft_ms: float | None = None
    """From this try's start to the first byte of its answer."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_nano: int | None = None
    """Nano-dollars; null is unknown."""


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What a call adds to a subject's spending in one period of a budget."""

    subject: str
    period: str
    """Its kind: the same second may begin a day and a month."""
    period_start: int
    """Unix seconds."""
    nano: int
    """Nano-dollars."""


class Intent(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="intent"):
    """One call that is about to be sent to a provider: what is known of it should its end never be written."""

    id: str
    """The same as of the record that follows."""
    timestamp: str
    request_id: str
    key: str | None
    user: str | None = None
    team: str | None = None
    organisation: str | None = None
    plan: str | None = None
    method: str
    path: str
    operation: str
    model: str | None
    stream: bool
    input_tokens: int
    """An estimate."""
    cost_nano: int | None = None
    """What to take the call's cost for, in nano-dollars; null is unknown."""
    price_version: str | None = None
    charges: list[Charge] = []
    """What is reserved."""
    tags: dict[str, str] = {}


class CallRecord(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="call"):
    """One call of a client, as it ended. Times in milliseconds, `timestamp` RFC 3339 in UTC."""

    id: str
    """Ours and unique: what makes a row of the ledger one. A client may send a request id twice."""
    timestamp: str
    level: Level = "info"
    request_id: str
    key: str | None
    """The key's name, never the key; null where a token was sent."""
    user: str | None = None
    team: str | None = None
    organisation: str | None = None
    plan: str | None = None
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
    """What has answered in place of a provider: `single_flight`, another call for the same."""
    stream: bool
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    units: dict[str, float] | None = None
    """What was used beside tokens: `images`, `audio_seconds`, `video_seconds`, `characters`, `searches`."""
    usage_source: UsageSource
    cost: str | None = None
    """Dollars as a decimal string; null is unknown."""
    cost_nano: int | None = None
    """The same in nano-dollars."""
    price_version: str | None = None
    """Of the prices that the cost was found with."""
    charges: list[Charge] = []
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
