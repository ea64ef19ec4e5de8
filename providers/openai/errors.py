"""A provider's refusal → the class that says what the gateway does next."""

from __future__ import annotations

import re
from typing import NamedTuple

from providers import errors as e
from providers import waits
from providers.openai import report as reports
from providers.openai.report import Report
from providers.types import Head, Json

_OPENAI_CODES: dict[str, type[e.UpstreamError]] = {
    # OpenAI's own codes (platform.openai.com/docs/guides/error-codes): they go to the client as they are.
    "context_length_exceeded": e.ContextLengthExceeded,
    "unsupported_parameter": e.UnsupportedParameter,
    "unknown_parameter": e.UnsupportedParameter,
    "unsupported_value": e.UnsupportedParameter,
    "content_policy_violation": e.ContentPolicyViolation,
    "moderation_blocked": e.ContentPolicyViolation,
    "content_filter": e.ContentPolicyViolation,
    "model_not_found": e.ModelNotFound,
    "invalid_api_key": e.CredentialRejected,
    "insufficient_quota": e.QuotaExhausted,
    "billing_hard_limit_reached": e.QuotaExhausted,
    "billing_not_active": e.QuotaExhausted,
    "resource_unavailable": e.Overloaded,
}

_OTHER_WORDS: dict[str, type[e.UpstreamError]] = {
    # Other vendors' codes and types: they decide the class, and the client sees OpenAI's code for it.
    "exceed_context_size_error": e.ContextLengthExceeded,  # llama.cpp
    "too_many_prompt_tokens": e.ContextLengthExceeded,  # Perplexity
    "image_content_policy_violation": e.ContentPolicyViolation,  # OpenAI's Responses API
    "3051": e.ContextLengthExceeded,  # Mistral
    "extra_forbidden": e.UnsupportedParameter,  # Mistral, Fireworks
    "not_supported_error": e.UnsupportedParameter,  # llama.cpp
    "invalid_model": e.ModelNotFound,  # Mistral
    "1500": e.ModelNotFound,  # Mistral
    "model_decommissioned": e.ModelNotFound,  # Groq
    "model_not_available": e.ModelNotFound,  # Together
    "no_endpoints": e.ModelNotFound,  # OpenRouter
    "model_deprecated": e.ModelNotFound,  # OpenRouter
    "model_unavailable_upstream": e.ModelNotFound,  # OpenRouter
    "payment_required": e.QuotaExhausted,  # OpenRouter
    "capacity_exceeded": e.Overloaded,  # Groq, flex tier
    "service_tier_capacity_exceeded": e.Overloaded,  # Mistral
    "3505": e.Overloaded,  # Mistral
    "operationnotsupported": e.UnsupportedParameter,  # Azure: not with this model
    "nocapacity": e.Overloaded,  # Azure, provisioned deployments
}


_WORDS = {**_OPENAI_CODES, **_OTHER_WORDS}


class Phrase(NamedTuple):
    """Words in a message that decide, and the statuses under which they do."""

    words: str
    statuses: frozenset[int]
    means: type[e.UpstreamError]


def _phrase(words: str, means: type[e.UpstreamError], *statuses: int) -> Phrase:
    return Phrase(words.lower(), frozenset(statuses), means)


PHRASES = (
    # The one table of free text. Each line is a case where the vendor's body holds nothing else to go by.
    _phrase("incorrect api key", e.CredentialRejected, 400),  # xAI: its code is that of any bad argument
    _phrase("api key not valid", e.CredentialRejected, 400),  # Google's compatibility endpoint
    _phrase("unrecognized request argument supplied", e.UnsupportedParameter, 400),  # Azure, older versions
    _phrase("argument not supported", e.UnsupportedParameter, 400),  # xAI, the same
    _phrase("extra inputs are not permitted", e.UnsupportedParameter, 400, 422),  # Fireworks
    _phrase("' is unsupported", e.UnsupportedParameter, 400),  # Groq: "property 'x' is unsupported"
    _phrase("does not support tools", e.UnsupportedParameter, 400),  # Ollama: no code at all
    _phrase("does not support thinking", e.UnsupportedParameter, 400),  # Ollama
    _phrase("maximum context length", e.ContextLengthExceeded, 400, 403),  # DeepSeek, vLLM, Fireworks
    _phrase("maximum prompt length", e.ContextLengthExceeded, 400),  # xAI
    _phrase("`max_new_tokens` must be <=", e.ContextLengthExceeded, 400, 403, 422),  # Together
    _phrase("response_format type is unavailable", e.UnsupportedParameter, 400),  # DeepSeek
    _phrase("tool choice requires --enable-auto-tool-choice", e.UnsupportedParameter, 400),  # vLLM
    _phrase("tools param requires --jinja", e.UnsupportedParameter, 400, 500),  # llama.cpp
    _phrase("content violates usage guidelines", e.ContentPolicyViolation, 400, 403),  # xAI
    _phrase("is not a valid model id", e.ModelNotFound, 400),  # OpenRouter: its code is the status
    _phrase("invalid model name passed", e.ModelNotFound, 400),  # Blackbox
    _phrase("used all available credits", e.QuotaExhausted, 403, 429),  # xAI: the code of any rate limit
    _phrase("monthly spending limit", e.QuotaExhausted, 403, 429),  # xAI
    _phrase("budget has been exceeded", e.QuotaExhausted, 400, 429),  # Blackbox
    _phrase("free-models-per-day", e.QuotaExhausted, 429),  # OpenRouter: the code of any rate limit
    _phrase("usage limit", e.QuotaExhausted, 429),  # Ollama's cloud: by the hour or week
    _phrase("request too large for", e.RequestTooLarge, 429),  # OpenAI: larger than a whole minute's limit
)

_STATUSES: dict[int, type[e.UpstreamError]] = {
    # Where this dialect's servers mean something else by a status than `class_for_status` says.
    410: e.UnsupportedParameter,  # xAI: a field whose function is gone
    412: e.CredentialRejected,  # Fireworks: account suspended
    424: e.ServerFault,  # a dependency of theirs failed
    498: e.Overloaded,  # Groq: flex capacity
    501: e.UnsupportedParameter,  # llama.cpp: built or started without this function
}

_EVENT_TYPES: dict[str, type[e.UpstreamError]] = {
    # Error events have no status of their own; these types and codes stand in for it.
    "rate_limit_exceeded": e.RateLimited,
    "rate_limit_error": e.RateLimited,
    "request_rate_limit_exceeded": e.RateLimited,
    "tokens": e.RateLimited,
    "requests": e.RateLimited,
    "overloaded_error": e.Overloaded,
    "provider_overloaded": e.Overloaded,
    "service_unavailable_error": e.Overloaded,
    "unavailable_error": e.Overloaded,
    "timeout": e.UpstreamTimeout,
    "authentication_error": e.CredentialRejected,
    "not_found_error": e.ModelNotFound,
    "invalid_request_error": e.RequestRejected,
    "badrequesterror": e.RequestRejected,
    "invalid_request": e.RequestRejected,
    "invalid_prompt": e.RequestRejected,
    # What a Responses API says of an image it has been given.
    "invalid_image": e.RequestRejected,
    "invalid_image_format": e.RequestRejected,
    "invalid_base64_image": e.RequestRejected,
    "invalid_image_url": e.RequestRejected,
    "invalid_image_mode": e.RequestRejected,
    "image_too_large": e.RequestRejected,
    "image_too_small": e.RequestRejected,
    "image_parse_error": e.RequestRejected,
    "image_file_too_large": e.RequestRejected,
    "unsupported_image_media_type": e.RequestRejected,
    "empty_image_file": e.RequestRejected,
    "failed_to_download_image": e.RequestRejected,
    "image_file_not_found": e.RequestRejected,
}

_TRY_AGAIN = re.compile(
    r"(?:try again in|retry after) ((?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|s|m|h)){1,4}|[0-9]{1,9}(?= seconds?))",
    re.IGNORECASE,
)


def parse_error(head: Head, body: bytes, now: float) -> e.UpstreamError:
    """Classify a non-2xx answer; `now` in Unix seconds. Total."""
    report = reports.from_bytes(body)
    wait = waits.retry_after(head.headers, now)
    return _error(report, _class(report, head.status), head.status, wait)


def under_success(value: Json) -> e.UpstreamError:
    """Classify an error that came as the body or an event of a 2xx answer. Total."""
    if isinstance(value, dict) and not value.get("error") and isinstance(value.get("x_groq"), dict):
        value = value["x_groq"]
    report = reports.from_json(value)
    if report.status is not None:
        return _error(report, _class(report, report.status), report.status, None)
    kind = _by_word(report) or next(
        (_EVENT_TYPES[w] for w in sorted(report.signals) if w in _EVENT_TYPES), None
    )
    return _error(report, kind or _by_phrase(report, None) or e.ServerFault, None, None)


def _class(report: Report, status: int) -> type[e.UpstreamError]:
    kind = (
        _by_word(report) or _by_phrase(report, status) or _STATUSES.get(status) or e.class_for_status(status)
    )
    if kind is e.RateLimited and "not_retryable" in report.signals:
        return e.QuotaExhausted
    return kind


def _by_word(report: Report) -> type[e.UpstreamError] | None:
    # The code is more exact than the type, which some vendors fill with anything.
    for word in ((report.code or "").lower(), *sorted(report.signals)):
        if word in _WORDS:
            return _WORDS[word]
    return None


def _by_phrase(report: Report, status: int | None) -> type[e.UpstreamError] | None:
    message = (report.message or "").lower()
    for phrase in PHRASES:
        if (status is None or status in phrase.statuses) and phrase.words in message:
            return phrase.means
    return None


def _error(
    report: Report, kind: type[e.UpstreamError], status: int | None, wait: float | None
) -> e.UpstreamError:
    if wait is None:
        wait = report.wait
    if wait is None and kind is e.RateLimited and (found := _TRY_AGAIN.search(report.message or "")):
        # OpenAI, Groq and Azure say it in words where a proxy has removed the header.
        wait = waits.duration(found[1]) or waits.duration(found[1] + "s")
    code = report.code
    if issubclass(kind, e.RequestRejected) and kind is not e.RequestRejected and code not in _OPENAI_CODES:
        code = None
    message = report.message or (
        f"The provider answered with status {status}." if status else "The provider failed."
    )
    return kind(message, status=status, type=report.type, code=code, param=report.param, retry_after=wait)
