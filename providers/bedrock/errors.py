"""What Bedrock's refusals mean.

A type stands in the header `x-amzn-errortype`, cut at its colon, or in the body's `__type`; words are in `message`.
Sources: https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html and the errors of Converse there.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from providers import errors as e
from providers.types import Head, Json, RateLimits
from providers.waits import retry_after

_TYPES: Mapping[str, type[e.UpstreamError]] = {
    "accessdenied": e.CredentialRejected,
    "expiredtoken": e.CredentialRejected,
    "incompletesignature": e.CredentialRejected,
    "invalidclienttokenid": e.CredentialRejected,
    "invalidsignature": e.CredentialRejected,
    "missingauthenticationtoken": e.CredentialRejected,
    "notauthorized": e.CredentialRejected,
    "optinrequired": e.CredentialRejected,
    "signaturedoesnotmatch": e.CredentialRejected,
    "unrecognizedclient": e.CredentialRejected,
    "internalserver": e.ServerFault,
    "modelerror": e.ServerFault,
    "modelstreamerror": e.ServerFault,
    "modelnotready": e.Overloaded,
    "serviceunavailable": e.Overloaded,
    "modeltimeout": e.TimeoutReported,
    "resourcenotfound": e.ModelNotFound,
    "servicequotaexceeded": e.QuotaExhausted,
    "throttling": e.RateLimited,
    "validation": e.RequestRejected,
}
_STATUSES: Mapping[int, type[e.UpstreamError]] = {424: e.ServerFault}

_WORDS: tuple[tuple[type[e.UpstreamError], str, type[e.UpstreamError]], ...] = (
    # A type has many meanings that its words alone tell apart.
    (e.RequestRejected, "input is too long", e.ContextLengthExceeded),
    (e.RequestRejected, "prompt is too long", e.ContextLengthExceeded),
    (e.RequestRejected, "too many input tokens", e.ContextLengthExceeded),
    (e.RequestRejected, "maximum context length", e.ContextLengthExceeded),
    (e.RequestRejected, "exceed context limit", e.ContextLengthExceeded),
    (e.RequestRejected, "model identifier is invalid", e.ModelNotFound),
    (e.RequestRejected, "on-demand throughput isn", e.ModelNotFound),
    (e.RequestRejected, "operation not allowed", e.ModelNotFound),
    (e.RequestRejected, "content filter", e.ContentPolicyViolation),
    (e.RequestRejected, "doesn't support", e.UnsupportedParameter),
    (e.RequestRejected, "does not support", e.UnsupportedParameter),
    (e.RequestRejected, "not supported", e.UnsupportedParameter),
    (e.RequestRejected, "extraneous key", e.UnsupportedParameter),
    (e.RequestRejected, "extra inputs are not permitted", e.UnsupportedParameter),
    (e.RateLimited, "per day", e.QuotaExhausted),
)


def parse_error(head: Head, body: bytes, now: float) -> e.UpstreamError:
    """Classify a non-2xx answer; `now` in Unix seconds. Total."""
    said = _object(body)
    named = head.headers.get("x-amzn-errortype") or _string(said.get("__type")) or ""
    error = _error(named, said, head.status)
    error.retry_after = retry_after(head.headers, now)
    return error


def reported(named: str, body: bytes) -> e.UpstreamError:
    """Classify an error that came within a stream, under a name such as `throttlingException`. Total."""
    return _error(named, _object(body), None)


def parse_limits(head: Head, now: float) -> RateLimits | None:  # noqa: ARG001 - the contract's
    """Give nothing: Bedrock does not say what is left."""
    return None


def _error(named: str, said: Mapping[str, Json], status: int | None) -> e.UpstreamError:
    # `com.amazon.coral.service#AccessDeniedException:http://…`
    kind = named.partition(":")[0].rpartition("#")[2]
    message = (
        _string(said.get("message")) or _string(said.get("Message")) or _string(said.get("originalMessage"))
    )
    word = kind.removesuffix("Exception").lower()
    if (found := _TYPES.get(word)) is None:
        found = e.ServerFault if status is None else _STATUSES.get(status) or e.class_for_status(status)
    words = (message or "").lower().replace("\u2019", "'")
    found = next((means for of, part, means in _WORDS if of is found and part in words), found)
    return found(
        message or f"The provider answered {status or 'with an error'} and did not say why.",
        status=status,
        type=kind or None,
    )


def _object(body: bytes) -> Mapping[str, Json]:
    try:
        value = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _string(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None
