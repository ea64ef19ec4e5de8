"""Several credentials of a provider, in the real process. Reliability cases 63, 64, 92, 96."""

from __future__ import annotations

import email.utils
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli.program import program
from tests.harness import actions as act
from tests.harness.gateway import Gateway, chat_body
from tests.harness.rig import config_for, provider, start_gateway
from tests.harness.secrets import Secrets, canary
from tests.harness.streams import stream_chat
from tests.harness.upstream import Action, Received, Upstream

pytestmark = pytest.mark.slow
ANSWER = "openai/chat_response.json"
MASTER = canary("MASTER_OF_POOLS")
KEYS = [f"cred-canary-pool-{number}-0123456789" for number in range(3)]


@dataclass(frozen=True)
class Bench:
    gateway: Gateway
    upstream: Upstream
    rotated: Path
    client_key: Path

    def admin(self, method: str, path: str) -> Any:
        return self.gateway.send(method, path, headers={"authorization": f"Bearer {MASTER}"}).json

    def credentials(self, name: str) -> list[dict[str, Any]]:
        found = self.admin("GET", "/admin/v1/providers")["credentials"]
        return [each for each in found if each["provider"] == name]

    def script(self, name: str, answers: dict[str, Action]) -> list[str]:
        """Answer by credential, else well. Gives the credentials that come, as they come."""
        seen: list[str] = []

        def choose(received: Received) -> Action:
            seen.append(str(received.header("authorization")).removeprefix("Bearer "))
            return answers.get(seen[-1], act.golden_reply(ANSWER))

        self.upstream.slot(name).respond(choose)
        return seen


POOLS: dict[str, list[Any]] = {
    "even": [*KEYS],
    "weighed": [{"key": key, "weight": weight} for weight, key in enumerate(KEYS, 1)],
    **{name: [KEYS[0], KEYS[1]] for name in ("limited", "refused", "forbidden", "empty", "told")},
    "alone": [KEYS[0]],
    "shown": [KEYS[0], KEYS[1]],
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, secrets: Secrets) -> Iterator[Bench]:
    folder: Path = tmp_path_factory.mktemp("credentials")
    rotated = folder.parent / f"{folder.name}-rotated"
    for key in (*KEYS, MASTER, canary("OLD_FILE"), canary("NEW_FILE")):
        secrets.plant(key)
    rotated.write_text(canary("OLD_FILE"))
    with Upstream() as upstream:
        pools = {name: provider(upstream, name, exact=True, keys=keys) for name, keys in POOLS.items()}
        pools["filed"] = provider(upstream, "filed", exact=True, keys=[{"key": {"file": str(rotated)}}])
        config = config_for(pools, {})
        config["auth"]["master_key"] = MASTER
        client_key = rotated.with_name(f"{rotated.name}-client")
        client_key.write_text(secrets.plant(canary("OLD_CLIENT")))
        config["auth"]["keys"].append({"name": "filed", "key": {"file": str(client_key)}})
        with start_gateway(folder, secrets, config) as gateway:
            yield Bench(gateway, upstream, rotated, client_key)


def soon(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"retry-after": "2"}, 1.0, 2.0),
        ({"retry-after": "120"}, 110.0, 120.0),
        ({"retry-after": "date"}, 30.0, 50.0),
        ({"retry-after": "garbage"}, 0.0, 1.0),
        ({"retry-after": "-1"}, 0.0, 1.0),
        ({"retry-after": "1000000000"}, 3590.0, 3600.0),
    ],
    ids=lambda value: value.get("retry-after") if isinstance(value, dict) else "",
)
def test_case_63_a_credential_over_its_limit_is_parked_and_the_other_serves(
    bench: Bench, headers: dict[str, str], least: float, most: float
) -> None:
    bench.admin("POST", "/admin/v1/providers/limited/reset")
    headers = {name: soon(50) if value == "date" else value for name, value in headers.items()}
    seen = bench.script("limited", {KEYS[0]: act.error_reply(429, headers=headers)})
    answers = [bench.gateway.chat("limited/limited") for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    parked, ready = bench.credentials("limited")
    assert (parked["state"], parked["reason"], ready["state"]) == ("parked", "rate_limited", "ready")
    assert least <= parked["usable_in"] <= most
    if least:
        assert Counter(seen)[KEYS[0]] == 1
    assert bench.gateway.metrics()['switchgear_breaker_state{provider="limited"}'] == 0


def test_case_63_with_none_left_the_client_is_told_when(bench: Bench) -> None:
    seen = bench.script("alone", {KEYS[0]: act.error_reply(429, headers={"retry-after": "40"})})
    for _ in range(2):
        refused = bench.gateway.chat("alone/alone")
        assert (refused.status, refused.error["code"]) == (429, "upstream_rate_limited")
        assert 30 < int(refused.headers["retry-after"]) <= 40
    assert len(seen) == 1
    bench.gateway.record(refused.request_id, status=429, error_type="upstream_rate_limited", attempts=0)


def test_case_63_an_empty_account_rests_an_hour_and_is_told_of(bench: Bench) -> None:
    out = act.golden_reply("openai/error_429_insufficient_quota.json", 429)
    bench.script("empty", {KEYS[1]: out})
    for _ in range(3):
        assert bench.gateway.chat("empty/empty").status == 200
    _, parked = bench.credentials("empty")
    assert (parked["state"], parked["reason"]) == ("parked", "quota_exhausted")
    assert 3500 < parked["usable_in"] <= 3600
    assert events(bench, "credential_exhausted", "empty") == [1]


@pytest.mark.parametrize(("name", "status"), [("refused", 401), ("forbidden", 403)])
def test_case_64_a_refused_credential_is_quarantined_until_it_is_reset(
    bench: Bench, name: str, status: int
) -> None:
    telling = act.error_reply(status, f"Incorrect API key provided: {KEYS[0]}", "invalid_api_key")
    seen = bench.script(name, {KEYS[0]: telling})
    answers = [bench.gateway.chat(f"{name}/{name}") for _ in range(4)]
    assert [answer.status for answer in answers] == [200] * 4
    assert Counter(seen)[KEYS[0]] == 1
    assert [each["state"] for each in bench.credentials(name)] == ["quarantined", "ready"]
    assert events(bench, "credential_quarantined", name) == [0]
    metrics = bench.gateway.metrics()
    assert metrics[f'switchgear_credentials{{provider="{name}",state="quarantined"}}'] == 1
    assert metrics[f'switchgear_credential_parkings_total{{provider="{name}",reason="rejected"}}'] == 1
    assert metrics[f'switchgear_breaker_state{{provider="{name}"}}'] == 0

    bench.script(name, dict.fromkeys(KEYS, telling))
    answers = [bench.gateway.chat(f"{name}/{name}") for _ in range(2)]
    assert {(answer.status, answer.error["code"]) for answer in answers} == {(502, "upstream_auth_error")}

    reset = bench.admin("POST", f"/admin/v1/providers/{name}/reset")
    assert [each["state"] for each in reset["credentials"]] == ["ready", "ready"]
    bench.script(name, {})
    assert bench.gateway.chat(f"{name}/{name}").status == 200


def test_case_96_shares_follow_the_weights(bench: Bench) -> None:
    seen = bench.script("weighed", {})

    def call(_: int) -> int:
        return bench.gateway.chat("weighed/weighed").status

    with ThreadPoolExecutor(4) as callers:
        assert set(callers.map(call, range(60))) == {200}
    assert Counter(seen) == {KEYS[0]: 10, KEYS[1]: 20, KEYS[2]: 30}


def test_case_92_one_of_three_broken_is_out_and_nobody_notices(bench: Bench) -> None:
    seen = bench.script("even", {KEYS[1]: act.error_reply(429, headers={"retry-after": "60"})})
    answers = [bench.gateway.chat("even/even") for _ in range(31)]
    assert {answer.status for answer in answers} == {200}
    counts = Counter(seen)
    assert counts[KEYS[1]] == 1
    assert abs(counts[KEYS[0]] - counts[KEYS[2]]) <= 1
    assert Counter(answer.headers["x-switchgear-attempts"] for answer in answers) == {"1": 30, "2": 1}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_what_a_provider_says_is_left_steers_before_it_refuses(bench: Bench, stream: bool) -> None:
    bench.admin("POST", "/admin/v1/providers/told/reset")
    left = dict.fromkeys(KEYS[:2], 0)
    left |= {KEYS[0]: 2, KEYS[1]: 100}
    seen: list[str] = []
    name = f"told-{stream}"

    def choose(received: Received) -> Action:
        seen.append(str(received.header("authorization")).removeprefix("Bearer "))
        left[seen[-1]] -= 1
        headers = {
            "x-ratelimit-remaining-requests": str(max(0, left[seen[-1]])),
            "x-ratelimit-reset-requests": "30s",
        }
        if left[seen[-1]] < 0:
            return act.error_reply(429, headers=headers)
        if not stream:
            return act.golden_reply(ANSWER, headers=headers)
        first = act.head(200, {"content-type": act.EVENT_STREAM, "transfer-encoding": "chunked", **headers})
        return [first, *act.golden_stream("openai/chat_stream_text.sse")[1:]]

    bench.upstream.slot(name).respond(choose)
    for _ in range(12):
        if stream:
            stream_chat(bench.gateway, f"told/{name}")
        else:
            assert bench.gateway.chat(f"told/{name}").status == 200
    assert Counter(seen) == {KEYS[0]: 2, KEYS[1]: 10}
    first, _ = bench.credentials("told")
    (model,) = [each for each in first["models"] if each["model"] == name]
    assert (model["remaining_requests"], model["remaining_tokens"], first["state"]) == (0, None, "ready")


def test_case_64_a_new_secret_in_its_file_is_used_without_a_restart(bench: Bench) -> None:
    seen = bench.script("filed", {canary("OLD_FILE"): act.error_reply(401)})
    assert bench.gateway.chat("filed/filed").error["code"] == "upstream_auth_error"
    new = bench.rotated.with_suffix(".new")
    new.write_text(canary("NEW_FILE"))
    new.replace(bench.rotated)
    bench.gateway.eventually(lambda: bench.gateway.chat("filed/filed").status == 200, "the new secret in use")
    assert seen == [canary("OLD_FILE"), canary("NEW_FILE")]


def test_a_clients_key_in_a_file_is_another_as_soon_as_the_file_is(bench: Bench) -> None:
    bench.script("alone", {})
    bench.admin("POST", "/admin/v1/providers/alone/reset")

    def status(key: str) -> int:
        return bench.gateway.post("/v1/chat/completions", chat_body("alone/alone"), key=key).status

    assert status(canary("OLD_CLIENT")) == 200
    bench.client_key.write_text(bench.gateway.secrets.plant(canary("NEW_CLIENT")))
    bench.gateway.eventually(lambda: status(canary("NEW_CLIENT")) == 200, "the new key", within=3.0)
    assert status(canary("OLD_CLIENT")) == 401


def test_the_command_line_shows_the_running_gateways_states(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.script("shown", {KEYS[0]: act.error_reply(401)})
    bench.gateway.chat("shown/shown")
    monkeypatch.chdir(bench.gateway.directory)
    for variable in [name for name in os.environ if name.endswith("_API_KEY")]:
        monkeypatch.delenv(variable)
    env = {"SWITCHGEAR_SERVER__PORT": str(bench.gateway.port)}
    said = CliRunner().invoke(program, ["providers", "--config", "config.yaml", "--json"], env=env)
    assert said.exit_code == 0, said.output
    rows = {row["name"]: row for row in json.loads(said.stdout)}
    live = {"breaker": "closed", "models_left_alone": 0, "credentials": {"ready": 1, "quarantined": 1}}
    assert (rows["shown"]["live"], rows["shown"]["credentials"]) == (live, 2)
    table = CliRunner().invoke(program, ["providers", "--config", "config.yaml"], env=env).stdout
    (line,) = [line for line in table.splitlines() if line.startswith("shown ")]
    assert "closed" in line
    assert "1 ready, 1 quarantined" in line
    bench.gateway.secrets.assert_absent((said.output + table).encode(), "what the command says")

    wrong = {**env, "SWITCHGEAR_MASTER_KEY": "sk-some-other-key-0123456789"}
    said = CliRunner().invoke(program, ["providers", "--config", "config.yaml"], env=wrong)
    assert (said.exit_code, "does not take this master key" in said.stderr) == (0, True)


def test_nothing_stays_in_flight(bench: Bench) -> None:
    shown = bench.admin("GET", "/admin/v1/providers")
    assert [each["in_flight"] for each in shown["credentials"]] == [0] * len(shown["credentials"])
    bench.gateway.secrets.assert_absent(json.dumps(shown).encode(), "the admin API")


def events(bench: Bench, event: str, name: str) -> list[int]:
    """Give the credentials that the log tells of."""
    told = bench.gateway.eventually(lambda: bench.gateway.told(event, provider=name), event)
    return [line["credential"] for line in told]
