"""What Google's errors mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from providers import errors as e
from providers.gemini import chat
from providers.types import Head

GOLDEN = Path(__file__).parents[2] / "golden" / "gemini"


def parsed(status: int, body: bytes | dict[str, Any] | list[Any], **headers: str) -> e.UpstreamError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return chat.parse_error(Head(status, headers), data, 0.0)


def error(status: int, message: str, **more: Any) -> e.UpstreamError:
    return parsed(status, {"error": {"code": status, "message": message, **more}})


def detail(kind: str, **fields: Any) -> dict[str, Any]:
    return {"@type": f"type.googleapis.com/google.rpc.{kind}", **fields}


def test_recorded_errors_and_their_classes() -> None:
    classes = {
        "error_400_invalid_argument.json": e.UnsupportedParameter,
        "error_400_invalid_key.json": e.CredentialRejected,
        "error_403.json": e.CredentialRejected,
        "error_404.json": e.ModelNotFound,
        "error_429.json": e.RateLimited,
        "error_500.json": e.ServerFault,
        "error_503.json": e.Overloaded,
        "error_504.json": e.UpstreamTimeout,
    }
    assert {path.name for path in GOLDEN.glob("error_*.json")} == set(classes)
    for name, kind in classes.items():
        body = json.loads((GOLDEN / name).read_text())
        for form in (body, [body]):
            found = parsed(body["error"]["code"], form)
            assert type(found) is kind, name
            assert (found.message, found.type) == (body["error"]["message"], body["error"]["status"])


def test_what_is_said_besides() -> None:
    invalid = parsed(400, (GOLDEN / "error_400_invalid_argument.json").read_bytes())
    assert invalid.param == "foo"
    assert parsed(400, (GOLDEN / "error_400_invalid_key.json").read_bytes()).code == "API_KEY_INVALID"


def test_waits() -> None:
    recorded = (GOLDEN / "error_429.json").read_bytes()
    assert parsed(429, recorded).retry_after == 48.0
    assert parsed(429, recorded, **{"retry-after": "7"}).retry_after == 7.0
    assert error(429, "Slow down. Please retry in 34.4s.").retry_after == 34.4
    assert error(429, "Resource exhausted.").retry_after is None


def test_a_quota_that_waiting_does_not_refill() -> None:
    violations = [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]
    daily = error(429, "Quota exceeded.", details=[detail("QuotaFailure", violations=violations)])
    assert type(daily) is e.QuotaExhausted
    assert type(error(429, "Quota exceeded for metric: x, limit: 0, model: y")) is e.QuotaExhausted
    assert type(error(429, "Quota exceeded for metric: x, limit: 10, model: y")) is e.RateLimited


def test_words_and_reasons_of_a_400_and_403() -> None:
    too_long = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
    assert type(error(400, too_long)) is e.ContextLengthExceeded
    assert type(error(400, "User location is not supported for the API use.")) is e.CredentialRejected
    for words in (
        "Multiple candidates is not enabled for this model",
        "Function calling with a response mime type: 'application/json' is unsupported",
        "Budget 0 is invalid. This model only works in thinking mode.",
        "Thinking level is not supported for this model.",
    ):
        assert type(error(400, words)) is e.UnsupportedParameter, words
    assert type(error(400, "Please ensure that function response parts equal calls.")) is e.RequestRejected
    disabled = [detail("ErrorInfo", reason="SERVICE_DISABLED")]
    assert type(error(403, "Vertex AI API has not been used", details=disabled)) is e.CredentialRejected


def test_a_field_of_a_violation_is_the_parameter() -> None:
    violated = [detail("BadRequest", fieldViolations=[{"field": "contents[0].parts", "description": "d"}])]
    assert error(400, "Bad.", details=violated).param == "contents[0].parts"
