"""Providers that fail: tried again, passed over, left alone, and asked again when they have recovered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.harness import actions as act
from tests.harness.gateway import KEY, Gateway, chat_body
from tests.harness.rig import config_for, provider, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.upstream import Upstream

pytestmark = pytest.mark.slow

MASTER = "sk-master-0123456789abcdef"
CHAT = "/v1/chat/completions"
ANSWER = "openai/chat_response.json"
QUICK = {"attempts": 2, "backoff": "1ms", "max_backoff": "10ms"}
PATIENT = {"consecutive": 1_000_000, "min_calls": 1_000_000}
PROVIDERS: dict[str, dict[str, Any]] = {
    "again": {"retry": QUICK, "breaker": PATIENT},
    "thrice": {"retry": {**QUICK, "attempts": 3}, "breaker": PATIENT},
    "fragile": {"breaker": {"consecutive": 5, "open_for": "1h", "max_open": "1h"}},
    "healing": {"breaker": {"consecutive": 2, "open_for": "200ms", "max_open": "200ms"}},
    "spare": {},
    "slow": {"breaker": {"consecutive": 2, "open_for": "1h", "max_open": "1h"}},
}


@dataclass(frozen=True)
class Bench:
    gateway: Gateway
    upstream: Upstream

    def admin(self, method: str, path: str, key: str = MASTER) -> Any:
        return self.gateway.send(method, path, headers={"authorization": f"Bearer {key}"})

    def state(self, name: str) -> str:
        found = self.admin("GET", "/admin/v1/providers").json["data"]
        return next(each["state"] for each in found if each["provider"] == name and each["model"] is None)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, secrets: Secrets) -> Iterator[Bench]:
    folder: Path = tmp_path_factory.mktemp("stays-up")
    with Upstream() as upstream:
        providers = {name: provider(upstream, name, exact=True, **more) for name, more in PROVIDERS.items()}
        models = {
            "guarded": ["fragile/fragile", "spare/spare"],
            "few": {"targets": ["thrice/few"], "max_attempts": 2},
        }
        config = config_for(providers, models)
        config["auth"]["master_key"] = MASTER
        with start_gateway(folder, secrets, config) as gateway:
            yield Bench(gateway, upstream)


@pytest.mark.parametrize("failure", [act.error_reply(500), act.error_reply(503), act.error_reply(429)])
def test_case_62_a_passing_failure_is_tried_again(bench: Bench, failure: act.Action) -> None:
    slot = bench.upstream.slot("again-passing")
    slot.script(failure, act.golden_reply(ANSWER))
    answer = bench.gateway.chat("again/again-passing")
    assert (answer.status, answer.headers["x-switchgear-attempts"]) == (200, "2")
    line = bench.gateway.record(answer.request_id, outcome="success", attempts=2, fallback=False)
    assert [tried["outcome"] == "success" for tried in line["tries"]] == [False, True]


def test_a_failure_that_stays_is_told_after_the_tries_and_not_to_be_multiplied(bench: Bench) -> None:
    slot = bench.upstream.slot("thrice-failing")
    slot.script(act.error_reply(500))
    answer = bench.gateway.chat("thrice/thrice-failing")
    assert (answer.status, answer.headers["x-switchgear-attempts"]) == (502, "3")
    assert answer.headers["x-should-retry"] == "false"
    assert len(slot.requests) == 3


def test_a_call_takes_no_more_tries_than_its_model_allows(bench: Bench) -> None:
    slot = bench.upstream.slot("few")
    slot.script(act.error_reply(500))
    assert bench.gateway.chat("few").status == 502
    assert len(slot.requests) == 2


@pytest.mark.parametrize("status", [400, 404, 422, 401])
def test_what_would_fail_again_is_not_tried_again(bench: Bench, status: int) -> None:
    bench.admin("POST", "/admin/v1/providers/again/reset")
    slot = bench.upstream.slot(f"again-{status}")
    slot.script(act.error_reply(status))
    bench.gateway.chat(f"again/again-{status}")
    assert len(slot.requests) == 1


def test_case_88_a_provider_that_keeps_failing_is_left_alone_until_it_is_reset(bench: Bench) -> None:
    gateway, slot = bench.gateway, bench.upstream.slot("fragile")
    slot.script([act.reset])
    for _ in range(5):
        gateway.chat("fragile/fragile")
    assert len(slot.requests) == 5
    began = time.monotonic()
    refused = gateway.chat("fragile/fragile")
    assert time.monotonic() - began < 0.5
    assert (refused.status, refused.error["code"]) == (503, "no_healthy_upstream")
    assert 0 < int(refused.headers["retry-after"]) <= 3600
    assert len(slot.requests) == 5
    assert bench.state("fragile") == "open"
    assert gateway.metrics()['switchgear_breaker_state{provider="fragile"}'] == 2

    bench.upstream.slot("spare").script(act.golden_reply(ANSWER))
    rescued = gateway.chat("guarded")
    assert (rescued.status, rescued.headers["x-switchgear-provider"]) == (200, "spare")
    gateway.record(rescued.request_id, attempts=1, fallback=True)
    assert len(slot.requests) == 5

    slot.script(act.golden_reply(ANSWER))
    reset = bench.admin("POST", "/admin/v1/providers/fragile/reset")
    assert {each["state"] for each in reset.json["data"]} == {"closed"}
    assert gateway.chat("fragile/fragile").status == 200


def test_a_provider_that_recovers_is_found_out_by_a_probe(bench: Bench) -> None:
    slot = bench.upstream.slot("healing")
    slot.script([act.reset])
    for _ in range(2):
        bench.gateway.chat("healing/healing")
    assert bench.state("healing") == "open"
    slot.script(act.golden_reply(ANSWER))

    def answered() -> bool:
        return bench.gateway.chat("healing/healing").status == 200

    bench.gateway.eventually(answered, "an answer of the provider that has recovered")
    bench.gateway.eventually(lambda: answered() and bench.state("healing") == "closed", "a closed breaker")


def test_the_admin_api_lets_no_key_in_that_has_no_role(bench: Bench) -> None:
    assert bench.admin("GET", "/admin/v1/providers", KEY).status == 403
    assert bench.gateway.send("GET", "/admin/v1/providers").status == 401
    assert bench.admin("POST", "/admin/v1/providers/fragile/reset", KEY).status == 403
    assert bench.admin("POST", "/admin/v1/providers/nobody/reset").status == 404


def test_a_deadline_of_the_client_ends_the_call_and_blames_nobody(bench: Bench) -> None:
    slot = bench.upstream.slot("slow")
    slot.script([act.hang])
    for _ in range(4):
        late = bench.gateway.post(CHAT, chat_body("slow/slow"), headers={"x-switchgear-timeout": "0.05"})
        assert (late.status, late.error["code"]) == (504, "deadline_exceeded")
        bench.gateway.record(late.request_id, outcome="deadline_exceeded", status=504, attempts=1)
    assert bench.state("slow") == "closed"
    slot.script(act.golden_reply(ANSWER))
    assert bench.gateway.chat("slow/slow").status == 200


@pytest.mark.parametrize("value", ["0", "-1", "soon", "nan", "inf", "1e9", ""])
def test_a_deadline_that_is_none_is_refused(bench: Bench, value: str) -> None:
    answer = bench.gateway.post(CHAT, chat_body("spare/spare"), headers={"x-switchgear-timeout": value})
    assert (answer.status, answer.error["code"]) == (400, "invalid_timeout")
