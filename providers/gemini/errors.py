"""Errors: what Google says went wrong (https://ai.google.dev/gemini-api/docs/troubleshooting, google.rpc.Status).

The status is vague: a bad key is a 400, and a daily quota looks like a minute's. The details and, where
there are none, the words tell them apart. Google sends no header that says what is left of a limit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from providers import errors as e
from providers import waits
from providers.types import Head, Json, JsonObject, RateLimits

_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}

_REASONS: dict[str, type[e.UpstreamError]] = {
    # google.rpc.ErrorInfo's `reason`, https://docs.cloud.google.com/service-infrastructure/docs/reference.
    "API_KEY_INVALID": e.CredentialRejected,
    "API_KEY_EXPIRED": e.CredentialRejected,
    "API_KEY_SERVICE_BLOCKED": e.CredentialRejected,
    "CONSUMER_INVALID": e.CredentialRejected,
    "CONSUMER_SUSPENDED": e.CredentialRejected,
    "SERVICE_DISABLED": e.CredentialRejected,
    "BILLING_DISABLED": e.QuotaExhausted,
}

_WORDS: tuple[tuple[str, type[e.UpstreamError]], ...] = (
    # Of a 400, whose details say nothing more.
    ("exceeds the maximum number of tokens", e.ContextLengthExceeded),
    ("cannot find field", e.UnsupportedParameter),
    ("api key not valid", e.CredentialRejected),
    ("api key expired", e.CredentialRejected),
    ("user location is not supported", e.CredentialRejected),
    ("billing", e.QuotaExhausted),
    # Fields that models differ in: another target may take them.
    ("is not enabled for", e.UnsupportedParameter),
    ("not supported", e.UnsupportedParameter),
    ("does not support", e.UnsupportedParameter),
    ("is unsupported", e.UnsupportedParameter),
    ("only works in thinking mode", e.UnsupportedParameter),
)

_NO_QUOTA = re.compile(r"perday|limit: 0\b", re.IGNORECASE)
"""A quota of the day, or none at all for this model: waiting does not help soon."""
_FIELD = re.compile(r'Unknown name "([^"]{1,128})"')
_RETRY_IN = re.compile(r"retry in ((?:[0-9]{1,9}(?:\.[0-9]{1,12})?(?:ms|s|m|h)){1,4})")


class _Report(NamedTuple):
    status: int | None
    word: str | None
    message: str
    reason: str | None
    field: str | None
    quotas: str
    delay: float | None


def parse_error(head: Head, body: bytes, now: float) -> e.UpstreamError:
    """Classify a non-2xx answer; `now` in Unix seconds. Total."""
    return _error(_report(_value(body)), head.status, waits.retry_after(head.headers, now))


def parse_limits(head: Head, now: float) -> RateLimits | None:  # noqa: ARG001 - the contract's
    """Give nothing: Google does not say what is left."""
    return None


def reported(error: Json) -> e.UpstreamError:
    """Classify what stands in `error` under a 200, in a body or an event. Total."""
    report = _report({"error": error})
    found = _error(report, report.status or _STATUS.get(report.word or "", 500), None)
    found.status = None
    return found


def under_success(body: bytes) -> e.UpstreamError:
    """Say what a 2xx body is that is no answer: an error, which may stand in a list, or nothing known. Total."""
    value = _value(body)
    if isinstance(value, list) and value and "error" in _object(value[0]):
        return reported(value[0]["error"])
    return e.MalformedResponse("The answer is not one of Gemini's.")


def _error(report: _Report, status: int, wait: float | None) -> e.UpstreamError:
    found = _class(report, status)
    return found(
        report.message or f"The provider answered {status} and did not say why.",
        status=status,
        type=report.word,
        code=report.reason,
        param=report.field if issubclass(found, e.RequestRejected) else None,
        retry_after=report.delay if wait is None else wait,
    )


def _class(report: _Report, status: int) -> type[e.UpstreamError]:
    if known := _REASONS.get(report.reason or ""):
        return known
    found = e.class_for_status(status)
    if found is e.RateLimited and _NO_QUOTA.search(f"{report.quotas} {report.message}"):
        return e.QuotaExhausted
    if found is e.RequestRejected:
        words = report.message.lower()
        return next((kind for phrase, kind in _WORDS if phrase in words), found)
    return found


def _report(value: Json) -> _Report:
    if isinstance(value, list) and value:
        value = value[0]
    error = _object(_object(value).get("error"))
    message = _string(error.get("message")) or ""
    details = _details(error)
    status = error.get("code")
    return _Report(
        status=status if isinstance(status, int) and 300 <= status < 600 else None,
        word=_string(error.get("status")),
        message=message,
        reason=_string(details.get("ErrorInfo", {}).get("reason")),
        field=_field(details, message),
        quotas=_quotas(details),
        delay=_delay(details, message),
    )


def _details(error: JsonObject) -> Mapping[str, JsonObject]:
    """Give the details by the last word of their type, such as `RetryInfo`."""
    details = error.get("details")
    found = [each for each in details if isinstance(each, dict)] if isinstance(details, list) else []
    return {str(each.get("@type")).rpartition(".")[2]: each for each in reversed(found)}


def _field(details: Mapping[str, JsonObject], message: str) -> str | None:
    if match := _FIELD.search(message):
        return match[1]
    violations = details.get("BadRequest", {}).get("fieldViolations")
    first = _object(violations[0]) if isinstance(violations, list) and violations else {}
    return _string(first.get("field"))


def _quotas(details: Mapping[str, JsonObject]) -> str:
    violations = details.get("QuotaFailure", {}).get("violations")
    found = violations if isinstance(violations, list) else []
    return " ".join(str(_object(each).get("quotaId")) for each in found)


def _delay(details: Mapping[str, JsonObject], message: str) -> float | None:
    said = waits.duration(_string(details.get("RetryInfo", {}).get("retryDelay")))
    if said is None and (match := _RETRY_IN.search(message)):
        said = waits.duration(match[1])
    return said


def _value(body: bytes) -> Json:
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return None


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _string(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None
