"""Waiting for room where the configuration allows it: by priority, for so long, and only while somebody waits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.harness import actions as act
from tests.harness.client import Client
from tests.harness.gateway import Gateway, chat_body
from tests.harness.rig import config_for, provider, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.upstream import Gate, Received, Slot, Upstream

pytestmark = pytest.mark.slow

CHAT = "/v1/chat/completions"
PRIORITIES = ("low", "normal", "high")


def key_of(priority: str) -> str:
    return f"sk-test-queue-{priority}-0123456789"


@dataclass
class Queue:
    """A model with room for one call, whose upstream answers each prompt when it is told to."""

    gateway: Gateway
    slot: Slot
    gates: dict[str, Gate]

    def __post_init__(self) -> None:
        self._clients: list[Client] = []

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def ask(self, prompt: str, priority: str = "normal", model: str = "one") -> Client:
        """Send a call, and wait until the gateway has it."""
        self.gates[prompt] = Gate()
        before = self.gateway.in_flight()
        client = self.gateway.client()
        self._clients.append(client)
        client.post(CHAT, chat_body(model, prompt=prompt), key_of(priority))
        self.gateway.eventually(lambda: self.gateway.in_flight() == before + 1, f"arrival of {prompt}")
        return client

    def asked(self) -> list[str]:
        return [received.json["messages"][0]["content"] for received in self.slot.requests]


@pytest.fixture(scope="module", params=["cancel", pytest.param("drain", marks=pytest.mark.slow)])
def started(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, secrets: Secrets
) -> Iterator[tuple[Gateway, Upstream]]:
    with Upstream() as upstream:
        patient = {"response": "20s", "first_event": "20s"}
        room = {"targets": ["up/one"], "limits": {"concurrency": 1}}
        models = {
            "one": {**room, "queue": {"max_wait": "8s"}},
            "short": {**room, "queue": {"max_wait": "300ms"}},
            "daily": {"targets": ["up/one"], "limits": {"otpm": 10}, "queue": {"max_wait": "8s"}},
        }
        ledger: dict[str, Any] = {"disconnect": request.param, "drain_for": "5s"}
        config = config_for(
            {"up": provider(upstream, "up", exact=True, timeouts=patient)}, models, ledger=ledger
        )
        config["auth"]["keys"] += [{"name": p, "key": key_of(p), "priority": p} for p in PRIORITIES]
        with start_gateway(tmp_path_factory.mktemp("queue") / "run", secrets, config) as gateway:
            yield gateway, upstream


@pytest.fixture
def queue(started: tuple[Gateway, Upstream]) -> Iterator[Queue]:
    gateway, upstream = started
    slot, gates = upstream.slot("one"), dict[str, Gate]()
    slot.requests.clear()

    def answer(received: Received) -> Any:
        prompt = received.json["messages"][0]["content"]
        return [act.wait_for(gates[prompt]), *act.golden_reply("openai/chat_response.json")]

    slot.respond(answer)
    queue = Queue(gateway, slot, gates)
    yield queue
    queue.close()
    gateway.eventually(lambda: gateway.in_flight() == 0, "return of all slots")


def test_who_matters_more_goes_first_and_equals_in_turn(queue: Queue) -> None:
    order = ["running", "low", "normal-1", "normal-2", "high"]
    clients = [queue.ask(prompt, prompt.partition("-")[0].replace("running", "low")) for prompt in order]
    wanted = ["running", "high", "normal-1", "normal-2", "low"]
    for count, prompt in enumerate(wanted, 1):
        queue.slot.wait_request(count)
        assert queue.asked() == wanted[:count]
        queue.gates[prompt].open()
    for client in clients:
        assert client.read_head() == 200


def test_waiting_ends(queue: Queue) -> None:
    running = queue.ask("running", model="short")
    queue.slot.wait_request()
    began = time.monotonic()
    waiting = queue.ask("waiting", model="short")
    assert waiting.read_head() == 429
    assert 0.25 < time.monotonic() - began < 3
    assert b"model:short: concurrency 1" in waiting.read_body()
    assert queue.asked() == ["running"]
    queue.gates["running"].open()
    assert running.read_head() == 200


def test_what_no_waiting_mends_is_refused_at_once(queue: Queue) -> None:
    began = time.monotonic()
    refused = queue.gateway.post(CHAT, chat_body("daily", max_tokens=100), key=key_of("high"))
    assert refused.status == 429
    assert refused.headers["x-should-retry"] == "false"
    assert time.monotonic() - began < 2


def test_a_client_that_leaves_frees_its_place_and_asks_nothing(queue: Queue) -> None:
    running = queue.ask("running")
    leaving, staying = queue.ask("leaving", "high"), queue.ask("staying", "low")
    leaving.reset()
    queue.gateway.eventually(lambda: queue.gateway.in_flight() == 2, "end of the call whose client left", 2.0)
    queue.gates["running"].open()
    queue.slot.wait_request(2)
    assert queue.asked() == ["running", "staying"]
    queue.gates["staying"].open()
    assert [running.read_head(), staying.read_head()] == [200, 200]
    assert "leaving" not in queue.asked()
