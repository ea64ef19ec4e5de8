"""Case 118: another configuration while calls run. None fails, and one that is wrong changes nothing."""

from __future__ import annotations

import copy
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.harness import actions as act
from tests.harness.client import Response
from tests.harness.gateway import KEY, Gateway, chat_body
from tests.harness.rig import config_for, provider, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.upstream import Gate, Upstream

pytestmark = pytest.mark.slow

MASTER = "sk-master-0123456789abcdef"
ROTATED = "sk-test-rotated-0123456789abcdef"
ANSWER = "openai/chat_response.json"
TEXT = "openai/chat_stream_text.sse"


@dataclass
class Bench:
    gateway: Gateway
    upstream: Upstream
    base: dict[str, Any]

    def config(self) -> dict[str, Any]:
        """Give the first configuration, to be changed."""
        return copy.deepcopy(self.base)

    def reload(self, config: dict[str, Any] | str) -> Response:
        """Write another configuration and have it taken."""
        self.gateway.write_config(config)
        return self.gateway.send("POST", "/admin/v1/reload", headers={"authorization": f"Bearer {MASTER}"})

    def readiness(self) -> str:
        answer = self.gateway.send("GET", "/health/ready")
        assert answer.status == 200
        return str(answer.json["configuration"])


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, secrets: Secrets) -> Iterator[Bench]:
    folder: Path = tmp_path_factory.mktemp("reload")
    with Upstream() as upstream:
        names = ("first", "second", "going")
        config = config_for(
            {name: provider(upstream, name, exact=True) for name in names}, {"fast": ["first/a"]}
        )
        config["auth"]["master_key"] = MASTER
        config["auth"]["keys"][0]["limits"] = {"rpm": 1000}
        upstream.slot("a").script(act.golden_reply(ANSWER))
        secrets.plant(ROTATED)
        with start_gateway(folder, secrets, config) as gateway:
            yield Bench(gateway, upstream, config)


@pytest.fixture(autouse=True)
def afresh(bench: Bench) -> None:
    assert bench.reload(bench.base).status == 200


def test_case_118_a_changed_file_is_taken_by_itself(bench: Bench) -> None:
    changed = bench.config()
    changed["models"]["fast"] = ["second/a"]
    bench.gateway.write_config(changed)
    bench.gateway.eventually(
        lambda: bench.gateway.chat("fast").headers["x-switchgear-provider"] == "second", "the change"
    )
    expected = {"cause": "file", "changes": ["models.fast"]}
    bench.gateway.eventually(
        lambda: bench.gateway.told("configuration_applied", **expected), "the line of the change"
    )


def test_case_118_a_hangup_takes_the_file_anew(bench: Bench) -> None:
    changed = bench.config()
    changed["models"]["quick"] = ["second/a"]
    bench.gateway.write_config(changed)
    bench.gateway.process.send_signal(signal.SIGHUP)
    bench.gateway.eventually(lambda: bench.gateway.chat("quick").status == 200, "the new model")


def test_case_118_a_bad_file_changes_nothing_and_is_told_of(bench: Bench) -> None:
    changed = bench.config()
    changed["models"]["fast"] = ["frist/a"]
    answer = bench.reload(changed)
    assert (answer.status, answer.error["code"]) == (400, "invalid_configuration")
    assert "config.yaml:" in answer.error["message"]
    assert "did you mean `first`" in answer.error["message"]
    assert bench.gateway.chat("fast").headers["x-switchgear-provider"] == "first"
    assert bench.readiness() == "rejected"
    assert bench.gateway.metrics()["switchgear_config_rejected"] == 1
    told = bench.gateway.eventually(
        lambda: bench.gateway.told("configuration_rejected"), "the line of the refusal"
    )
    assert "frist" in told[-1]["reason"]

    assert bench.reload(bench.base).status == 200
    assert bench.readiness() == "current"
    assert bench.gateway.metrics()["switchgear_config_rejected"] == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "auth:\n  keys: [",
        f"auth: {{master_key: {MASTER}, keys: }}\nproviders: {{echo: {{limits: , breaker: }}}}\nmodels: ",
    ],
)
def test_case_118_blanks_and_broken_files_neither_crash_nor_open(bench: Bench, text: str) -> None:
    answer = bench.reload(text)
    assert (answer.status, answer.error["code"]) == (400, "invalid_configuration")
    anyone = bench.gateway.post("/v1/chat/completions", chat_body("fast"), key="sk-nobody-0123456789abcdef")
    assert anyone.status == 401
    assert bench.gateway.send("GET", "/health/ready").status == 200


def test_case_118_a_stream_of_a_removed_provider_goes_on_and_its_connection_closes_after(
    bench: Bench,
) -> None:
    gate = Gate()
    slot = bench.upstream.slot("kept")
    events = act.events_of(TEXT)
    rest = [act.wait_for(gate), *map(act.chunk, events[3:]), act.chunk(b"")]
    slot.script(act.stream_of(events[:3], rest))
    with bench.gateway.client() as client:
        client.post("/v1/chat/completions", chat_body("going/kept", stream=True), KEY)
        assert client.read_head() == 200
        seen = client.events()
        next(seen)
        changed = bench.config()
        del changed["providers"]["going"]
        assert bench.reload(changed).json["changes"]
        assert bench.gateway.chat("going/kept").status == 404
        connections = bench.upstream.counters.open
        gate.open()
        assert [event.data for event in seen][-1] == "[DONE]"
    bench.gateway.eventually(lambda: bench.upstream.counters.open < connections, "the connection's end")


def test_case_118_a_rotated_key_holds_at_once_and_limits_go_on_counting(bench: Bench) -> None:
    before = bench.gateway.chat("fast")
    changed = bench.config()
    changed["auth"]["keys"][0]["key"] = ROTATED
    assert bench.reload(changed).status == 200
    assert bench.gateway.chat("fast").status == 401
    after = bench.gateway.post("/v1/chat/completions", chat_body("fast"), key=ROTATED)
    left = [int(answer.headers["x-ratelimit-remaining-requests"]) for answer in (before, after)]
    assert left[1] == left[0] - 1


def test_what_holds_from_the_next_start_on_is_told(bench: Bench) -> None:
    changed = bench.config()
    changed["server"] = {"port": 4999, "allowed_hosts": ["127.0.0.1", "only.example"]}
    changed["storage"] = "sqlite:///elsewhere/other.db"
    answer = bench.reload(changed)
    assert answer.json["restart_needed"] == ["storage"]  # the port was given on the command line
    assert bench.gateway.send("GET", "/health/live", headers={"host": "other.example"}).status == 400


def test_case_118_reloading_is_for_the_master_key(bench: Bench) -> None:
    answer = bench.gateway.send("POST", "/admin/v1/reload", headers={"authorization": f"Bearer {KEY}"})
    assert (answer.status, answer.error["code"]) == (403, "permission_denied")


@pytest.mark.slow
def test_case_118_no_call_fails_over_many_reloads_under_load(bench: Bench) -> None:
    """20 reloads, good and bad by turns, while calls are made as fast as four clients can."""
    statuses: list[int] = []
    over = threading.Event()

    def call() -> None:
        with bench.gateway.client() as client:
            while not over.is_set():
                client.post("/v1/chat/completions", chat_body("fast"), KEY)
                statuses.append(client.read().status)

    changed = bench.config()
    del changed["auth"]["keys"][0]["limits"]
    assert bench.reload(changed).status == 200
    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for turn in range(20):
        changed["models"]["fast"] = [("first/a", "second/a")[turn % 2]]
        assert bench.reload(changed).status == 200
        assert bench.reload("models: {fast: [nobody/x]}").status == 400
    over.set()
    for caller in callers:
        caller.join()
    assert len(statuses) > 200
    assert set(statuses) == {200}
