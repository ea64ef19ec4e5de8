"""Floods of what is refused at once: all answered, all counted, few lines; others go on as if nothing were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.client import Response
from tests.harness.gateway import KEY, Gateway, chat_body
from tests.harness.rig import config_for, start_gateway
from tests.harness.secrets import Secrets

pytestmark = pytest.mark.slow

CHAT = "/v1/chat/completions"
SMALL, OTHER = (f"sk-test-{name}-0123456789abcdef" for name in ("small", "other"))
FLOOD = 150
KEYS: list[dict[str, Any]] = [
    {"name": "small", "key": SMALL, "limits": {"rpm": 2, "tpm": 5_000}},
    {"name": "other", "key": OTHER, "limits": {"rpm": 2, "tpm": 5_000}},
]


def config(**models: Any) -> dict[str, Any]:
    found = config_for({"echo": {}}, models)
    found["auth"]["keys"] += KEYS
    found["auth"]["max_failures"] = FLOOD
    return found


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, secrets: Secrets) -> Iterator[Gateway]:
    with start_gateway(tmp_path_factory.mktemp("refusals") / "run", secrets, config()) as running:
        yield running


def flood(gateway: Gateway, key: str, count: int) -> list[Response]:
    """Ask over one connection."""
    with gateway.client() as client:
        found = []
        for _ in range(count):
            client.post(CHAT, chat_body("echo/any"), key)
            found.append(client.read())
        client.post(CHAT, chat_body("echo/any"), KEY)
        assert client.read().status == 200, "the connection is as good as new"
    return found


def counted(gateway: Gateway, name: str, **labels: str) -> float:
    wanted = {f'{label}="{value}"' for label, value in labels.items()}
    series = gateway.metrics().items()
    return sum(value for key, value in series if key.startswith(name) and all(each in key for each in wanted))


def told(gateway: Gateway, **fields: object) -> int:
    """Give how many the log tells of, by their lines or in sums."""
    lines = [line for line in gateway.log_lines() if line["error_type"] == fields["code"]]
    assert len(lines) < FLOOD
    return len(lines) + sum(line["calls"] for line in gateway.told("refused_too", **fields))


def test_a_flood_of_wrong_keys(gateway: Gateway) -> None:
    found = flood(gateway, "sk-wrong-0123456789", FLOOD)
    assert {each.status for each in found} == {401}
    assert {each.error["code"] for each in found} == {"invalid_api_key"}
    assert {each.headers["www-authenticate"] for each in found} == {"Bearer"}
    assert len({each.headers["x-request-id"] for each in found}) == FLOOD
    assert counted(gateway, "switchgear_requests_total", operation="chat", status="401") == FLOOD
    assert counted(gateway, "switchgear_errors_total", code="invalid_api_key") == FLOOD
    assert counted(gateway, "switchgear_request_duration_seconds_count", operation="chat") >= FLOOD
    gateway.eventually(lambda: told(gateway, code="invalid_api_key") == FLOOD, "all are told of")
    # From here on it is too many.
    *_, held = flood(gateway, "sk-wrong-0123456789", 30)
    assert (held.status, held.error["code"]) == (429, "rate_limit_exceeded")
    assert gateway.rows(held.request_id) == []


def test_a_flood_over_the_limit(gateway: Gateway) -> None:
    before = counted(gateway, "switchgear_requests_total", status="429")
    found = flood(gateway, SMALL, FLOOD)
    assert [each.status for each in found] == [200] * 2 + [429] * (FLOOD - 2)
    for each in found[2:]:
        assert "key:small: rpm 2, 0 left, 1 asked" in each.error["message"]
        assert each.headers["x-ratelimit-remaining-requests"] == "0"
        assert int(each.headers["retry-after-ms"]) > 50_000
    assert counted(gateway, "switchgear_requests_total", status="429") == before + FLOOD - 2
    gateway.eventually(
        lambda: sum(line["calls"] for line in gateway.told("refused_too", caller="small")) >= FLOOD - 2 - 40,
        "what no line told of",
    )
    assert gateway.rows(found[-1].request_id) == []


def test_it_is_the_answer_that_a_call_gets_whose_body_was_read(
    gateway: Gateway, tmp_path_factory: pytest.TempPathFactory, secrets: Secrets
) -> None:
    """Where models have limits, bodies are read before anything is refused over limits."""
    slow = config(limited={"targets": ["echo/any"], "limits": {"rpm": 1_000}})
    answers = [flood(gateway, OTHER, 3)[2]]
    with start_gateway(tmp_path_factory.mktemp("refusals-slow") / "run", secrets, slow) as other:
        answers.append(flood_behind(other))
    quick, whole = answers
    assert quick.status == whole.status == 429
    names = (
        {name for name in each.headers if name not in ("connection", "x-should-retry")} for each in answers
    )
    assert next(names) == next(names)
    same = ("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens")  # fmt: skip
    assert [quick.headers[name] for name in same] == [whole.headers[name] for name in same]
    assert quick.error["message"].partition(" in ")[0] == whole.error["message"].partition(" in ")[0]


def flood_behind(gateway: Gateway) -> Response:
    for _ in range(3):
        found = gateway.post(CHAT, chat_body("echo/any"), key=OTHER)
    assert gateway.line_of(found.request_id)["model"] == "echo/any", "its body was read"
    return found
