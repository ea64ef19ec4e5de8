"""Errors: what Ollama says went wrong. It has `{"error": "text"}`, no codes, no wait hints and no limits.

Source: Ollama's server, routes and middleware (https://github.com/ollama/ollama).
"""

from __future__ import annotations

from providers import errors as e
from providers import waits
from providers.openai import report as reports
from providers.types import Head, Json, RateLimits

_WORDS: tuple[tuple[int, str, type[e.UpstreamError]], ...] = (
    (400, "does not support", e.UnsupportedParameter),
    (400, "context length", e.ContextLengthExceeded),
    (400, "exceeds the available context", e.ContextLengthExceeded),
    (429, "usage limit", e.QuotaExhausted),
    (500, "requires more system memory", e.ModelNotFound),  # this model never fits this machine
)


def parse_error(head: Head, body: bytes, now: float) -> e.UpstreamError:
    """Classify a non-2xx answer; `now` in Unix seconds. Total."""
    return _error(reports.from_bytes(body), head.status, waits.retry_after(head.headers, now))


def reported(value: Json) -> e.UpstreamError:
    """Classify an error that came within a 200. Total."""
    report = reports.from_json(value)
    return _error(report, report.status, None)


def parse_limits(head: Head, now: float) -> RateLimits | None:  # noqa: ARG001 - the contract's
    """Give nothing: Ollama says nothing of limits."""
    return None


def _error(report: reports.Report, status: int | None, wait: float | None) -> e.UpstreamError:
    known = 500 if status is None else status
    words = (report.message or "").lower()
    kind = next((kind for at, phrase, kind in _WORDS if at == known and phrase in words), None)
    kind = kind or e.class_for_status(known)
    message = report.message or (
        f"The provider answered with status {status}." if status else "The provider failed."
    )
    return kind(message, status=status, type=report.type, retry_after=wait)
