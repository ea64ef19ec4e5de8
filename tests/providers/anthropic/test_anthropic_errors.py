"""What Anthropic's refusals and headers mean to the gateway."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import errors as e
from providers.anthropic import chat
from providers.types import Head, RateLimits

GOLDEN = Path(__file__).parents[2] / "golden" / "anthropic"
NOW = 1795178400.0
"""2026-11-20T12:40:00Z."""

SAMPLES = {
    "error_400": e.RequestRejected,
    "error_400_prompt_too_long": e.ContextLengthExceeded,
    "error_401": e.CredentialRejected,
    "error_402": e.QuotaExhausted,
    "error_403": e.CredentialRejected,
    "error_404": e.ModelNotFound,
    "error_413": e.RequestTooLarge,
    "error_429": e.RateLimited,
    "error_500": e.ServerFault,
    "error_504": e.UpstreamTimeout,
    "error_529": e.Overloaded,
}


def headers(name: str) -> dict[str, str]:
    lines = (GOLDEN / name).read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines if line)


def classify(status: int, error: Any, **extra: str) -> e.UpstreamError:
    body = json.dumps({"type": "error", "error": error, "request_id": "req_1"}).encode()
    return chat.parse_error(Head(status, extra), body, NOW)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples(name: str) -> None:
    status = int(name.split("_")[1])
    body = (GOLDEN / f"{name}.json").read_bytes()
    error = chat.parse_error(Head(status, {}), body, NOW)
    assert type(error) is SAMPLES[name]
    assert error.status == status
    assert error.message == json.loads(body)["error"]["message"]
    assert error.type == json.loads(body)["error"]["type"]
    assert error.retry_after is None


def test_a_validation_message_names_its_field() -> None:
    body = (GOLDEN / "error_400.json").read_bytes()
    assert chat.parse_error(Head(400, {}), body, NOW).param == "max_tokens"
    error = classify(400, {"type": "invalid_request_error", "message": "messages.0.content: Field required"})
    assert error.param == "messages.0.content"


MONEY = [
    (429, "rate_limit_error", "enforced_spend_limit_reached"),
    (429, "rate_limit_error", "contract_spend_limit_reached"),
    (402, "billing_error", "linked_organization_spend_limit_reached"),
    (403, "permission_error", "linked_organization_billing_unavailable"),
]


@pytest.mark.parametrize(("status", "kind", "code"), MONEY)
def test_spend_limits_are_no_rate_limits(status: int, kind: str, code: str) -> None:
    error = classify(status, {"type": kind, "message": "x", "details": {"error_code": code}})
    assert type(error) is e.QuotaExhausted
    assert error.code == code


def test_a_ramp_limit_is_a_rate_limit() -> None:
    details = {"error_code": "ramp_limit_exceeded"}
    error = classify(429, {"type": "rate_limit_error", "message": "x", "details": details})
    assert type(error) is e.RateLimited


WORDS = [
    ("You have reached your specified API usage limits.", e.QuotaExhausted),
    ("Your credit balance is too low to access the Anthropic API.", e.QuotaExhausted),
    ("input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000", e.ContextLengthExceeded),
    ("Output blocked by content filtering policy", e.ContentPolicyViolation),
    ("output_config: Extra inputs are not permitted", e.UnsupportedParameter),
    ("adaptive thinking is not supported on this model", e.UnsupportedParameter),
    ("`temperature` and `top_p` cannot both be specified for this model.", e.UnsupportedParameter),
    ("messages: something else", e.RequestRejected),
]


@pytest.mark.parametrize(("message", "expected"), WORDS)
def test_requests_refused_in_words(message: str, expected: type[e.UpstreamError]) -> None:
    assert type(classify(400, {"type": "invalid_request_error", "message": message})) is expected


def test_the_status_says_more_than_a_vague_type() -> None:
    assert type(classify(413, {"type": "invalid_request_error", "message": "x"})) is e.RequestTooLarge
    assert type(classify(503, {"type": "api_error", "message": "x"})) is e.Overloaded
    assert type(classify(500, {"type": "overloaded_error", "message": "x"})) is e.Overloaded


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (413, e.RequestTooLarge),
        (529, e.Overloaded),
        (502, e.ServerFault),
        (307, e.Redirected),
        (418, e.RequestRejected),
    ],
)
def test_a_page_instead_of_json(status: int, expected: type[e.UpstreamError]) -> None:
    error = chat.parse_error(Head(status, {}), b"<html>cf-ray</html>", NOW)
    assert type(error) is expected
    assert str(status) in error.message
    assert "html" not in error.message


def test_how_long_to_wait() -> None:
    body = (GOLDEN / "error_429.json").read_bytes()
    assert chat.parse_error(Head(429, headers("headers_429.txt")), body, NOW).retry_after == 10
    error = {"type": "overloaded_error", "message": "Overloaded"}
    assert classify(529, error, **{"retry-after-ms": "1500"}).retry_after == 1.5
    assert classify(529, error, **{"retry-after": "soon"}).retry_after is None
    assert classify(529, error, **{"retry-after": "Fri, 20 Nov 2026 12:40:30 GMT"}).retry_after == 30


def test_limits() -> None:
    assert chat.parse_limits(Head(200, headers("headers_200.txt")), NOW) == RateLimits(
        remaining_requests=999, remaining_tokens=80000, reset_requests=59.0, reset_tokens=59.0
    )
    exhausted = chat.parse_limits(Head(429, headers("headers_429.txt")), NOW + 3600)
    assert exhausted == RateLimits(
        remaining_requests=999, remaining_tokens=0, reset_requests=0.0, reset_tokens=0.0
    )
    assert chat.parse_limits(Head(401, headers("headers_401.txt")), NOW) is None


TEXT = st.text(max_size=40) | st.sampled_from(
    ["-1", "9" * 5000, "²", "2026-11-20", "0001-01-01T00:00:00+23:59", "1e3"]
)
NAMES = [
    f"anthropic-ratelimit-{what}-{part}" for what in ("requests", "tokens") for part in ("remaining", "reset")
]


@given(st.dictionaries(st.sampled_from([*NAMES, "retry-after", "retry-after-ms"]), TEXT), st.floats(0, 4e9))
def test_limits_are_total(given_headers: dict[str, str], now: float) -> None:
    limits = chat.parse_limits(Head(200, given_headers), now)
    assert limits is None or limits != RateLimits()


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
KEYS = st.sampled_from(["type", "error", "message", "details", "error_code"])
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5)
)


@given(
    st.integers(100, 599),
    st.binary() | JSON.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms"]), TEXT),
)
def test_any_answer_is_classified(status: int, body: bytes, given_headers: dict[str, str]) -> None:
    error = chat.parse_error(Head(status, given_headers), body, NOW)
    assert isinstance(error, e.UpstreamError)
    assert error.message
    assert error.retry_after is None or 0 <= error.retry_after <= 86400


def test_a_nest_without_end_is_classified() -> None:
    assert type(chat.parse_error(Head(500, {}), b"[" * 100_000, NOW)) is e.ServerFault
