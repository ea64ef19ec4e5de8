"""What a provider's refusal means, for each shape that was ever seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from providers import errors as e
from providers.openai.errors import PHRASES, parse_error, under_success
from providers.openai.limits import parse_limits
from providers.types import Head, RateLimits
from tests.contract.recorded import GOLDEN

NOW = 1_795_161_600.0

RECORDED = {
    "openai/error_400_context_length.json": e.ContextLengthExceeded,
    "openai/error_400_unknown_parameter.json": e.UnsupportedParameter,
    "openai/error_400_unsupported_parameter.json": e.UnsupportedParameter,
    "openai/error_401.json": e.CredentialRejected,
    "openai/error_403_region.json": e.CredentialRejected,
    "openai/error_404_model.json": e.ModelNotFound,
    "openai/error_429_insufficient_quota.json": e.QuotaExhausted,
    "openai/error_429_rate_limit.json": e.RateLimited,
    "openai/error_500.json": e.ServerFault,
    "openai/error_503.json": e.Overloaded,
    "xai/error_400_unsupported.json": e.UnsupportedParameter,
    "xai/error_404_model.json": e.ModelNotFound,
    "xai/error_410_live_search.json": e.UnsupportedParameter,
    "xai/error_429.json": e.RateLimited,
    "openrouter/error_400.json": e.ModelNotFound,
    "openrouter/error_401.json": e.CredentialRejected,
    "openrouter/error_402.json": e.QuotaExhausted,
    "openrouter/error_403_moderation.json": e.ContentPolicyViolation,
    "openrouter/error_429_availability.json": e.RateLimited,
    "openrouter/error_429_upstream.json": e.RateLimited,
    "openrouter/error_503.json": e.Overloaded,
    "mistral/error_400_model.json": e.ModelNotFound,
    "mistral/error_400_tool_call_id.json": e.RequestRejected,
    "mistral/error_401.json": e.CredentialRejected,
    "mistral/error_422_object.json": e.UnsupportedParameter,
    "mistral/error_429.json": e.RateLimited,
    "mistral/error_429_gateway.json": e.RateLimited,
    "mistral/error_503_capacity.json": e.Overloaded,
    "groq/error_404.json": e.ModelNotFound,
    "groq/error_413.json": e.RequestTooLarge,
    "groq/error_429.json": e.RateLimited,
    "groq/error_498.json": e.Overloaded,
    "deepseek/error_400_context.json": e.ContextLengthExceeded,
    "deepseek/error_401.json": e.CredentialRejected,
    "deepseek/error_402.json": e.QuotaExhausted,
    "deepseek/error_429.json": e.RateLimited,
    "deepseek/error_503.json": e.Overloaded,
    "together/error_429.json": e.RateLimited,
    "fireworks/error_404.json": e.ModelNotFound,
    "ollama/error_400.json": e.UnsupportedParameter,
    "ollama/error_404.json": e.ModelNotFound,
    "vllm/error_400.json": e.ContextLengthExceeded,
    "vllm/error_401.json": e.CredentialRejected,
    "vllm/error_404.json": e.ModelNotFound,
    "llamacpp/error_400_context.json": e.ContextLengthExceeded,
    "llamacpp/error_503_loading.json": e.Overloaded,
}


def parsed(status: int, body: Any, headers: dict[str, str] | None = None) -> e.UpstreamError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_error(Head(status, headers or {}), data, NOW)


@pytest.mark.parametrize(("name", "kind"), RECORDED.items(), ids=list(RECORDED))
def test_recorded_bodies(name: str, kind: type[e.UpstreamError]):
    path = GOLDEN / name
    error = parsed(int(path.stem.split("_")[1]), path.read_bytes())
    assert type(error) is kind


def test_every_recorded_body_of_this_dialect_is_in_the_table():
    providers = {name.partition("/")[0] for name in RECORDED}
    found = {f"{p}/{path.name}" for p in providers for path in Path(GOLDEN / p).glob("error_*.json")}
    assert found == set(RECORDED)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***"}, e.CredentialRejected),
        (400, [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}}], e.CredentialRejected),
        (429, {"code": "Some resource has been exhausted", "error": "Your team has used all available credits"}, e.QuotaExhausted),
        (403, {"code": "…", "error": "Content violates usage guidelines."}, e.ContentPolicyViolation),
        (400, {"error": {"message": "property 'foo' is unsupported", "type": "invalid_request_error"}}, e.UnsupportedParameter),
        (400, {"error": {"message": "`inputs` tokens + `max_new_tokens` must be <= 8193"}}, e.ContextLengthExceeded),
        (400, {"error": {"message": "Budget has been exceeded! Current cost: 1"}}, e.QuotaExhausted),
        (429, {"error": {"message": "x", "type": "billing_hard_limit_reached", "code": None}}, e.QuotaExhausted),
        (429, {"error": {"message": "x", "availability": {"retryable": False}}}, e.QuotaExhausted),
        (429, {"error": {"message": "x", "code": "429"}}, e.RateLimited),
        (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "user"], "msg": "Extra inputs are not permitted"}]}, e.UnsupportedParameter),
        (422, {"detail": [{"type": "missing", "loc": ["body", "messages", 0, "role"], "msg": "Field required"}]}, e.RequestRejected),
        (422, b"Failed to deserialize the JSON body into the target type: messages[0]: missing field", e.RequestRejected),
        (412, {"error": {"message": "Account suspended"}}, e.CredentialRejected),
        (501, {"error": {"code": 501, "message": "This server does not support embeddings.", "type": "not_supported_error"}}, e.UnsupportedParameter),
        (520, b"<html>Web server is returning an unknown error</html>", e.ServerFault),
        (302, b"", e.Redirected),
        (529, b"", e.Overloaded),
        (504, b"", e.UpstreamTimeout),
        (400, b"", e.RequestRejected),
    ],
)  # fmt: skip
def test_documented_bodies(status: int, body: Any, kind: type[e.UpstreamError]):
    assert type(parsed(status, body)) is kind


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.words)
def test_free_text_decides_only_under_its_statuses(phrase: Any):
    for status in {401, 404, 500, 503} - phrase.statuses:
        error = parsed(status, {"error": {"message": phrase.words}})
        assert type(error) is e.class_for_status(status)


def test_a_code_wins_over_the_text():
    body = {"error": {"message": "maximum context length", "code": "unsupported_parameter", "param": "n"}}
    error = parsed(400, body)
    assert type(error) is e.UnsupportedParameter
    assert (error.code, error.param) == ("unsupported_parameter", "n")


def test_codes_that_repeat_the_status_are_left_out():
    for code in (400, "400"):
        assert parsed(400, {"error": {"message": "m", "code": code}}).code is None
    assert parsed(400, {"error": {"message": "m", "code": 1234}}).code == "1234"


def test_other_vendors_words_do_not_reach_the_client_as_codes():
    error = parsed(400, {"object": "error", "message": "m", "type": "invalid_model", "code": "1500"})
    assert isinstance(error, e.ModelNotFound)
    assert error.code is None


def test_a_validators_finding_names_the_field():
    error = parsed(422, (GOLDEN / "mistral/error_422_object.json").read_bytes())
    assert error.param == "logit_bias"
    assert error.message == "logit_bias: Extra inputs are not permitted"


def test_pages_of_proxies_are_not_messages():
    error = parsed(502, b"<!DOCTYPE html><title>Bad gateway</title>")
    assert error.message == "The provider answered with status 502."


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        ({"error": {"message": "m"}}, {"retry-after-ms": "210", "retry-after": "1"}, 0.21),
        ({"error": {"message": "m", "availability": {"retry_after": 40}}}, {}, 40.0),
        ({"error": {"message": "m", "metadata": {"retry_after_seconds": 1.5}}}, {}, 1.5),
        ({"error": {"message": "m", "metadata": {"retry_after": 10**400}}}, {}, 86_400.0),
        ({"error": {"message": "Please try again in 210ms. Visit …"}}, {}, 0.21),
        ({"error": {"message": "Please try again in 1m3.5s."}}, {}, 63.5),
        ({"error": {"message": "Please try again in 3.5s"}}, {"retry-after": "4"}, 4.0),
        ({"error": {"message": "Please try again later"}}, {}, None),
    ],
)
def test_the_wait_that_a_provider_asks_for(body: Any, headers: dict[str, str], seconds: float | None):
    assert parsed(429, body, headers).retry_after == seconds


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"error": {"message": "m", "type": "server_error", "code": None}}, e.ServerFault),
        ({"error": {"message": "m", "type": "InternalServerError", "code": 500}}, e.ServerFault),
        ({"error": {"message": "m", "code": 429}}, e.RateLimited),
        ({"error": {"message": "m", "code": "rate_limit_exceeded", "type": "tokens"}}, e.RateLimited),
        ({"error": {"message": "m", "type": "insufficient_quota"}}, e.QuotaExhausted),
        ({"error": {"message": "m", "type": "overloaded_error"}}, e.Overloaded),
        ({"error": {"message": "m", "status_code": 503}}, e.Overloaded),
        ({"error": "out of memory"}, e.ServerFault),
        ({"error": ["a", "b"]}, e.ServerFault),
        ([{"error": {"code": 503, "message": "m"}}], e.Overloaded),
        ({"object": "error", "message": "m", "code": 400}, e.RequestRejected),
        ({"x_groq": {"error": "over capacity"}, "choices": []}, e.ServerFault),
    ],
)
def test_errors_under_a_200(event: Any, kind: type[e.UpstreamError]):
    assert type(under_success(event)) is kind


def headers_of(name: str) -> dict[str, str]:
    lines = (GOLDEN / name).read_text().splitlines()
    return {key: value for key, _, value in (line.partition(": ") for line in lines)}


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("openai/headers_200.txt", RateLimits(4999, 1_999_235, 0.012, 0.022)),
        ("openai/headers_429.txt", RateLimits(4998, 500, 0.012, 59.85)),
        ("groq/headers_429.txt", RateLimits(14370, 200, 179.56, 3.5)),
        ("xai/headers_200.txt", RateLimits(1800, 10_000_000)),
        ("mistral/headers_200.txt", RateLimits(359, 199_743)),
        ("together/headers_200.txt", RateLimits(1, None, 2.0)),
    ],
)
def test_limits_are_read_from_headers(name: str, limits: RateLimits):
    assert parse_limits(Head(200, headers_of(name)), NOW) == limits


def test_no_headers_are_no_limits():
    assert parse_limits(Head(200, {}), NOW) is None
    assert parse_limits(Head(200, {"x-ratelimit-remaining-requests": "many"}), NOW) is None
