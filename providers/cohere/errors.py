"""Errors and limits: what Cohere says went wrong, and what it says is left.

Source: https://docs.cohere.com/reference/errors. A body is `{"id", "message"}`, sometimes with an `error_type`.
"""

from __future__ import annotations

from providers import errors as e
from providers import waits
from providers.openai import report as reports
from providers.types import Head, Json, RateLimits

_STATUSES: dict[int, type[e.UpstreamError]] = {
    498: e.CredentialRejected,  # a token that is on a list of bad ones
    499: e.RequestRejected,  # who asked has left
    501: e.UnsupportedParameter,  # not implemented
}

_WORDS: tuple[tuple[int, str, type[e.UpstreamError]], ...] = (
    # There are no codes: these are told apart by the words alone.
    (400, "too many tokens", e.ContextLengthExceeded),
    (400, "too_many_tokens", e.ContextLengthExceeded),
    (400, "invalid api token", e.CredentialRejected),
    (400, "not supported", e.UnsupportedParameter),
    (422, "unknown field", e.UnsupportedParameter),
    (429, "calls / month", e.QuotaExhausted),
    (429, "per month", e.QuotaExhausted),
)

_TRIAL_LEFT = "x-trial-endpoint-call-remaining"


def parse_error(head: Head, body: bytes, now: float) -> e.UpstreamError:
    """Classify a non-2xx answer; `now` in Unix seconds. Total."""
    report = reports.from_bytes(body)
    return _error(report, head.status, waits.retry_after(head.headers, now))


def reported(value: Json) -> e.UpstreamError:
    """Classify an error that came within a 200. Total."""
    report = reports.from_json(value)
    return _error(report, report.status, None)


def parse_limits(head: Head, now: float) -> RateLimits | None:  # noqa: ARG001 - the contract's
    """Read what is left of a trial key's calls; other keys are told nothing. Total."""
    left = waits.number(head.headers.get(_TRIAL_LEFT))
    return None if left is None else RateLimits(remaining_requests=int(left))


def _error(report: reports.Report, status: int | None, wait: float | None) -> e.UpstreamError:
    known = 500 if status is None else status
    words = f"{report.type or ''} {report.message or ''}".lower()
    kind = next((kind for at, phrase, kind in _WORDS if at == known and phrase in words), None)
    kind = kind or _STATUSES.get(known) or e.class_for_status(known)
    message = report.message or (
        f"The provider answered with status {status}." if status else "The provider failed."
    )
    return kind(message, status=status, type=report.type, retry_after=wait)
