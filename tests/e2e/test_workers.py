"""Several workers on one machine: whichever is asked shows and changes all, and one that ends loses nothing."""

from __future__ import annotations

import json
import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness import actions as act
from tests.harness.client import Response
from tests.harness.gateway import Gateway, chat_body
from tests.harness.regulars import regulars
from tests.harness.rig import config_for, provider, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.upstream import Upstream
from tests.harness.valkey import Valkey

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

MASTER = "sk-master-0123456789abcdef"
LIMITED = "sk-limited-0123456789abcdef"
ANSWER = "openai/chat_response.json"
WORKERS = 3
_WORKER = re.compile(r'worker="(\d+)"')


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, secrets: Secrets, upstream: Upstream, valkey: Valkey
) -> Iterator[Gateway]:
    config = config_for(
        {"echo": {}, "up": provider(upstream, "up", breaker={"consecutive": 2, "open_for": "1m"})},
        {"fast": ["up/a"]},
        state=valkey.url,
    )
    config["server"] = {"workers": WORKERS}
    config["auth"]["master_key"] = MASTER
    config["auth"]["keys"].append({"name": "twenty", "key": LIMITED, "limits": {"rpm": 20}})
    upstream.slot("a").script(act.golden_reply(ANSWER))
    with start_gateway(tmp_path_factory.mktemp("workers"), secrets, config) as running:
        running.eventually(lambda: len(workers_in(running)) == WORKERS, "all workers", 30.0)
        yield running


def workers_in(gateway: Gateway) -> set[str]:
    return {found[1] for name in gateway.metrics() if (found := _WORKER.search(name))}


def admin(gateway: Gateway, method: str, path: str, document: Any = None) -> Response:
    body = b"" if document is None else json.dumps(document).encode()
    headers = {"authorization": f"Bearer {MASTER}", "content-type": "application/json"}
    return gateway.send(method, f"/admin/v1{path}", body, headers)


def states_of_a(gateway: Gateway) -> dict[str, int]:
    shown = admin(gateway, "GET", "/providers").json["data"]
    of_model = [each["workers"] for each in shown if (each["provider"], each["model"]) == ("up", "a")]
    return of_model[0] if of_model else {}


def test_a_limit_is_one_whoever_answers(gateway: Gateway) -> None:
    statuses = Counter(
        gateway.post("/v1/chat/completions", chat_body("echo/any"), key=LIMITED).status for _ in range(60)
    )
    assert statuses == {200: 20, 429: 40}


def test_metrics_of_all_are_in_whichever_is_asked(gateway: Gateway) -> None:
    ids = [gateway.chat("echo/any").request_id for _ in range(30)]
    for request_id in ids:
        gateway.line_of(request_id)
    before = calls_of_echo(gateway)
    assert len(before) == WORKERS, "on a socket of all, each takes some"
    for _ in range(20):
        answer = gateway.chat("echo/any")
        gateway.line_of(answer.request_id)
    assert sum(calls_of_echo(gateway).values()) == sum(before.values()) + 20
    text = gateway.send("GET", "/metrics").body.decode()
    heads = Counter(line for line in text.splitlines() if line.startswith("# TYPE"))
    assert set(heads.values()) == {1}, "a family stands once"


def calls_of_echo(gateway: Gateway) -> dict[str, float]:
    return {
        found[1]: value
        for name, value in gateway.metrics().items()
        if name.startswith("switchgear_requests_total{")
        and 'provider="echo"' in name
        and (found := _WORKER.search(name))
    }


def test_a_key_that_is_revoked_is_refused_by_all_at_once(gateway: Gateway, secrets: Secrets) -> None:
    for number in range(5):
        made = admin(gateway, "POST", "/keys", {"name": f"short-{number}"}).json
        secrets.plant(made["key"])
        statuses = {
            gateway.post("/v1/chat/completions", chat_body("echo/any"), key=made["key"]).status
            for _ in range(10)
        }
        assert statuses == {200}
        assert admin(gateway, "POST", f"/keys/{made['id']}/revoke").status == 200
        statuses = {
            gateway.post("/v1/chat/completions", chat_body("echo/any"), key=made["key"]).status
            for _ in range(10)
        }
        assert statuses == {401}


def test_a_reload_is_taken_by_all_before_it_is_answered(gateway: Gateway) -> None:
    for number in range(3):
        config = {**gateway.config, "models": {"fast": ["up/a"], f"new-{number}": ["echo/any"]}}
        gateway.write_config(config)
        assert admin(gateway, "POST", "/reload").json["workers"] == WORKERS
        assert {gateway.chat(f"new-{number}").status for _ in range(12)} == {200}


def test_a_breaker_is_shown_and_reset_in_all(gateway: Gateway, upstream: Upstream) -> None:
    slot = upstream.slot("a")
    slot.respond(lambda _call: act.error_reply(500))
    try:
        gateway.eventually(
            lambda: gateway.chat("fast").status and states_of_a(gateway).get("open"), "a breaker to open"
        )
    finally:
        slot.script(act.golden_reply(ANSWER))
    gateway.eventually(
        lambda: {gateway.chat("fast").status for _ in range(12)} == {503}, "all to leave it alone"
    )
    reset = admin(gateway, "POST", "/providers/up/reset").json["data"]
    assert {state for each in reset for state in each["workers"]} == {"closed"}
    assert set(states_of_a(gateway)) == {"closed"}
    assert {gateway.chat("fast").status for _ in range(12)} == {200}


def test_one_that_is_killed_is_replaced_and_the_others_serve(gateway: Gateway) -> None:
    gateway.has_all_its_books = False  # what is killed may not have written its last lines
    victim = gateway.serving_pids()[0]
    os.kill(victim, signal.SIGKILL)
    assert {gateway.chat("echo/any").status for _ in range(20)} == {200}
    gateway.eventually(
        lambda: victim not in gateway.serving_pids() and len(workers_in(gateway)) == WORKERS, "another", 30.0
    )
    assert readiness(gateway) == "exact"


def readiness(gateway: Gateway) -> str:
    return str(gateway.send("GET", "/health/ready").json["limits"])


def test_a_rolling_restart_under_load_loses_no_call(gateway: Gateway) -> None:
    before = set(gateway.serving_pids())
    with regulars(gateway.port, 4, "roll", chat_body("echo/any")) as tally:
        gateway.process.send_signal(signal.SIGUSR2)
        gateway.eventually(
            lambda: not before & set(gateway.serving_pids()) and len(gateway.serving_pids()) == WORKERS,
            "three others",
            60.0,
        )
    assert not tally.failures
    assert set(tally.statuses) == {200}
    gateway.eventually(
        lambda: {row["request_id"] for row in gateway.rows()} >= set(tally.ids), "every row", 20.0
    )
    counts = Counter(row["request_id"] for row in gateway.rows())
    assert {counts[each] for each in tally.ids} == {1}


def test_the_number_of_workers_holds_from_the_next_restart(gateway: Gateway) -> None:
    changed = {**gateway.config, "server": {"workers": 2}}
    gateway.write_config(changed)
    assert admin(gateway, "POST", "/reload").json["restart_needed"] == ["server.workers"]
    gateway.process.send_signal(signal.SIGUSR2)
    gateway.eventually(lambda: len(gateway.serving_pids()) == 2, "two workers", 60.0)
    assert {gateway.chat("echo/any").status for _ in range(10)} == {200}
