"""Errors and limits: what Anthropic says went wrong, and what it says is left.

Sources: https://docs.anthropic.com/en/api/errors, …/en/api/rate-limits, and the error details that
Anthropic's SDK types (2.10) name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from providers.errors import (
    ContentPolicyViolation,
    ContextLengthExceeded,
    QuotaExhausted,
    RequestRejected,
    UnsupportedParameter,
    UpstreamError,
    class_for_status,
)
from providers.types import Head, Json, RateLimits
from providers.waits import retry_after

_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_VAGUE = frozenset({"invalid_request_error", "api_error"})
"""Types that come with several statuses: the status says more."""

_OUT_OF_MONEY = frozenset(
    {
        "contract_spend_limit_reached",
        "enforced_spend_limit_reached",
        "linked_organization_billing_unavailable",
        "linked_organization_spend_limit_reached",
    }
)

_WORDS: tuple[tuple[str, type[UpstreamError]], ...] = (
    # An `invalid_request_error` tells these apart by its words alone.
    ("prompt is too long", ContextLengthExceeded),
    ("exceed context limit", ContextLengthExceeded),
    ("reached your specified api usage limits", QuotaExhausted),
    ("credit balance is too low", QuotaExhausted),
    ("blocked by content filtering policy", ContentPolicyViolation),
    # Fields that models differ in: another target may take them.
    ("extra inputs are not permitted", UnsupportedParameter),
    ("not supported", UnsupportedParameter),
    ("does not support", UnsupportedParameter),
    ("deprecated for this model", UnsupportedParameter),
    ("cannot both be specified", UnsupportedParameter),
)

_PARAM = re.compile(r"([a-z_]+(?:\.[\w-]+)*): ")
"""How a validation message names its field: `messages.0.content: …`."""


def parse_error(head: Head, body: bytes, now: float) -> UpstreamError:
    """Classify a non-2xx answer; `now` in Unix seconds. Total."""
    try:
        value = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        value = None
    return _error(value, head.status, retry_after(head.headers, now))


def reported(body: Json) -> UpstreamError:
    """Classify an error that came under a 200, as a body or as an event. Total."""
    return _error(body, None, None)


def parse_limits(head: Head, now: float) -> RateLimits | None:
    """Read the `anthropic-ratelimit-*` headers; `now` in Unix seconds. Total."""
    limits = RateLimits(
        remaining_requests=_count(head.headers, "requests"),
        remaining_tokens=_count(head.headers, "tokens"),
        reset_requests=_seconds(head.headers, "requests", now),
        reset_tokens=_seconds(head.headers, "tokens", now),
    )
    return limits if limits != RateLimits() else None


def _error(body: Json, status: int | None, wait: float | None) -> UpstreamError:
    error = _object(_object(body).get("error"))
    kind, code = _string(error.get("type")), _string(_object(error.get("details")).get("error_code"))
    message = _string(error.get("message"))
    known = _STATUS.get(kind or "")
    if known is None or (kind in _VAGUE and status is not None):
        known = status or 500
    found = _class(known, code, (message or "").lower())
    return found(
        message or f"The provider answered {status or 'with an error'} and did not say why.",
        status=status,
        type=kind,
        code=code,
        param=_param(message) if issubclass(found, RequestRejected) else None,
        retry_after=wait,
    )


def _class(status: int, code: str | None, words: str) -> type[UpstreamError]:
    if code in _OUT_OF_MONEY:
        return QuotaExhausted
    found = class_for_status(status)
    if found is RequestRejected:
        return next((kind for phrase, kind in _WORDS if phrase in words), found)
    return found


def _param(message: str | None) -> str | None:
    match = _PARAM.match(message or "")
    return match[1] if match else None


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _string(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(headers: Mapping[str, str], what: str) -> int | None:
    text = headers.get(f"anthropic-ratelimit-{what}-remaining", "")
    return int(text) if text.isdecimal() and len(text) < 19 else None


def _seconds(headers: Mapping[str, str], what: str, now: float) -> float | None:
    try:
        at = datetime.fromisoformat(headers.get(f"anthropic-ratelimit-{what}-reset", ""))
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        return max(0.0, at.timestamp() - now)
    except (ValueError, OverflowError):
        return None
