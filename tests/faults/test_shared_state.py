"""Two gateways on one Valkey that is killed, frozen, emptied, read-only, full or slow while calls flow."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.harness import actions as act
from tests.harness.client import Response
from tests.harness.gateway import Gateway, chat_body
from tests.harness.rig import ONE_TRY, config_for, provider, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.upstream import Gate, Upstream
from tests.harness.valkey import Valkey, start_valkey

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
RECOVERY = 5.0
PASSWORD = "valkey-canary-71c8e0"
DEGRADED = "x-switchgear-limits"
PRICES = {"*": {"input_mtok": "0", "output_mtok": "1"}}


OPEN, CLOSED = {"ok"}, {"ok", "limits_unavailable"}
FLOWING = {"shared": OPEN, "loose": OPEN, "learned": OPEN, "closed": CLOSED, "strict": CLOSED}
"""Keys whose calls flow through every fault, one a policy, and what becomes of them. 429 is never among it."""


def key_of(name: str) -> str:
    return f"sk-test-state-{name}-0123456789"


def allowances() -> dict[str, dict[str, Any]]:
    ample = {"rpm": 1_000_000, "tpm": 1_000_000_000, "concurrency": 1_000}
    budget = {"amount": "1000", "per": "day"}
    return {
        "shared": {"limits": ample},
        "open": {"limits": {"rpm": 5, "on_state_loss": "open"}},
        "loose": {"limits": {**ample, "on_state_loss": "open"}},
        "closed": {"limits": {**ample, "on_state_loss": "closed"}},
        "ten": {"limits": {"rpm": 10}},
        "learned": {"budget": {**budget, "mode": "learned"}},
        "strict": {"budget": {**budget, "mode": "strict"}},
    }


@contextmanager
def two_gateways(folder: Path, secrets: Secrets, server: Valkey) -> Iterator[list[Gateway]]:
    config = config_for({"echo": {**ONE_TRY, "prices": PRICES}}, {"e": ["echo/small"]}, state=server.url)
    config["auth"]["keys"] += [{"name": n, "key": key_of(n), **given} for n, given in allowances().items()]
    secrets.plant(PASSWORD)
    with (
        start_gateway(folder / "a", secrets, config) as first,
        start_gateway(folder / "b", secrets, config) as second,
    ):
        gateways = [first, second]
        for gateway in gateways:
            gateway.eventually(lambda g=gateway: instances(g) == 2, "the other one")
        yield gateways


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with start_valkey(tmp_path_factory.mktemp("state-valkey"), password=PASSWORD) as running:
        yield running


@pytest.fixture(scope="module")
def gateways(
    server: Valkey, tmp_path_factory: pytest.TempPathFactory, secrets: Secrets
) -> Iterator[list[Gateway]]:
    with two_gateways(tmp_path_factory.mktemp("state"), secrets, server) as running:
        yield running


def ask(gateway: Gateway, key: str) -> Response:
    return gateway.post("/v1/chat/completions", chat_body("e", prompt="Hi", max_tokens=5), key=key_of(key))


def code(answer: Response) -> str:
    return "ok" if answer.status == 200 else json.loads(answer.body)["error"]["code"]


def instances(gateway: Gateway) -> float:
    return gateway.metrics()['switchgear_shared_state{of="instances"}']


def up(gateway: Gateway) -> set[float]:
    """Say whether it is there for each of the processes that serve."""
    return {
        value for name, value in gateway.metrics().items() if name.startswith("switchgear_shared_state_up")
    }


def readiness(gateway: Gateway) -> str:
    answer = gateway.send("GET", "/health/ready")
    assert answer.status == 200, "an outage of what is shared stops no instance"
    return json.loads(answer.body)["limits"]


def told(gateway: Gateway, event: str) -> int:
    return gateway.output.count(f'"event":"{event}"') + gateway.output.count(f'"event": "{event}"')


@dataclass
class Flow:
    """Calls of one key at a gateway, one after the other, until it is stopped."""

    gateway: Gateway
    key: str
    answers: list[tuple[float, float, Response]] = field(default_factory=list)
    """When each began, how many seconds it took, and what came."""
    stopped: bool = False
    pause: float = 0.01

    def start(self) -> Flow:
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        return self

    def stop(self) -> list[tuple[float, float, Response]]:
        self.stopped = True
        self.thread.join()
        return self.answers

    def _run(self) -> None:
        while not self.stopped:
            began = time.monotonic()
            answer = ask(self.gateway, self.key)
            self.answers.append((began, time.monotonic() - began, answer))
            time.sleep(self.pause)


def kill(server: Valkey) -> None:
    server.kill()


def revive(server: Valkey) -> None:
    server.start()


Hurt = Callable[[Valkey], object]
FAULTS: dict[str, tuple[Hurt, Hurt]] = {
    "killed": (kill, revive),
    "frozen": (Valkey.freeze, Valkey.thaw),
    "read_only": (
        lambda server: server.run("REPLICAOF", "127.0.0.1", "9"),
        lambda server: server.run("REPLICAOF", "NO", "ONE"),
    ),
    "full": (
        lambda server: server.run("CONFIG", "SET", "maxmemory", "1"),
        lambda server: server.run("CONFIG", "SET", "maxmemory", "0"),
    ),
    "slow": (
        lambda server: server.run("CLIENT", "PAUSE", "3000", "ALL"),
        lambda _: time.sleep(1.5),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_case_109_calls_go_on_by_the_declared_policy(
    server: Valkey, gateways: list[Gateway], fault: str
) -> None:
    calls_go_on(server, gateways, FAULTS[fault])


def calls_go_on(server: Valkey, gateways: list[Gateway], fault: tuple[Hurt, Hurt], workers: int = 1) -> None:
    """Hurt it and heal it while calls of every policy flow; each of them goes on by its own."""
    hurt, heal = fault
    losses = [told(gateway, "shared_state_lost") for gateway in gateways]
    finds = [told(gateway, "shared_state_found") for gateway in gateways]
    flows = [Flow(each, key, pause=0.05).start() for each in gateways for key in FLOWING]
    time.sleep(0.3)
    hurt(server)
    for gateway in gateways:
        gateway.eventually(lambda g=gateway: up(g) == {0}, "the loss", within=3.0)
        assert readiness(gateway) == "degraded"
        for _ in range(3):
            closed = ask(gateway, "closed")
            assert (closed.status, code(closed)) == (503, "limits_unavailable")
            assert closed.headers[DEGRADED] == "degraded"
            assert "retry-after" in closed.headers
            assert code(ask(gateway, "strict")) == "limits_unavailable"
            assert code(ask(gateway, "learned")) == "ok"
        for _ in range(7):
            assert code(ask(gateway, "open")) == "ok"
    time.sleep(0.5)
    heal(server)
    healed = time.monotonic()
    for gateway in gateways:
        gateway.eventually(lambda g=gateway: up(g) == {1}, "recovery", within=RECOVERY)
        assert readiness(gateway) == "exact"
    assert time.monotonic() - healed < RECOVERY
    for gateway in gateways:
        gateway.eventually(lambda g=gateway: code(ask(g, "strict")) == "ok", "budgets", within=RECOVERY)
        answer = ask(gateway, "closed")
        assert code(answer) == "ok"
        assert DEGRADED not in answer.headers
    for flow in flows:
        answers = flow.stop()
        assert {code(answer) for _, _, answer in answers} == FLOWING[flow.key], flow.key
        assert {answer.headers.get(DEGRADED) for _, _, answer in answers} == {None, "degraded"}
        assert max(seconds for _, seconds, _ in answers) < 1.0
    for gateway, lost, found in zip(gateways, losses, finds, strict=True):
        assert told(gateway, "shared_state_lost") == lost + workers, "one line for each loss"
        assert told(gateway, "shared_state_found") == found + workers


def test_case_109_emptied_while_it_runs(server: Valkey, gateways: list[Gateway]) -> None:
    """What each process has used goes back into it, and so does what the ledger has."""
    first, second = gateways
    answers = [code(ask(each, "ten")) for each in [first, second] * 4]
    assert answers == ["ok"] * 8
    server.run("FLUSHALL")
    for gateway in gateways:
        ask(gateway, "shared")
        gateway.eventually(lambda g=gateway: readiness(g) == "exact", "recovery", within=RECOVERY)
        gateway.eventually(lambda g=gateway: instances(g) == 2, "the other one", within=RECOVERY)
    later = [code(ask(each, "ten")) for each in [first, second] * 3]
    assert later.count("ok") == 2, later
    assert set(later[2:]) == {"rate_limit_exceeded"}


def test_what_a_killed_process_held_comes_back(tmp_path: Path, secrets: Secrets) -> None:
    """Concurrency and reservations, within 30 s."""
    with start_valkey(tmp_path / "valkey") as server, Upstream() as upstream:
        slot, gate = upstream.slot("up"), Gate()
        slot.script([act.wait_for(gate), *act.golden_reply("openai/chat_response.json")])
        patient = {"response": "60s", "first_event": "60s"}
        up = provider(upstream, "up", exact=True, timeouts=patient, prices=PRICES)
        config = config_for({"up": up}, {}, state=server.url)
        held = {
            "gauge": {"limits": {"concurrency": 2}},
            # Five tokens at a millionth of a dollar each: two calls fit.
            "money": {"budget": {"amount": "0.000010", "per": "total", "mode": "strict"}},
        }
        config["auth"]["keys"] += [{"name": n, "key": key_of(n), **given} for n, given in held.items()]
        body = chat_body("up/up", prompt="Hi", max_tokens=5)
        with (
            start_gateway(tmp_path / "a", secrets, config) as dying,
            start_gateway(tmp_path / "b", secrets, config) as living,
        ):
            clients = [dying.client() for _ in range(4)]
            for client, name in zip(clients, ["gauge", "gauge", "money", "money"], strict=True):
                client.post("/v1/chat/completions", body, key_of(name))
            dying.eventually(lambda: len(slot.requests) == 4, "calls under way")
            for name in held:
                assert living.post("/v1/chat/completions", body, key=key_of(name)).status == 429
            dying.kill()
            killed = time.monotonic()
            gate.open()
            for name in held:
                living.eventually(
                    lambda n=name: living.post("/v1/chat/completions", body, key=key_of(n)).status == 200,
                    f"what {name} held",
                    within=30.0,
                )
            assert time.monotonic() - killed < 30.0
            for client in clients:
                client.close()


def test_it_starts_without_its_redis(tmp_path: Path, secrets: Secrets) -> None:
    """Case 109, absent at start: it serves by the policy, and finds it when it comes."""
    with start_valkey(tmp_path / "valkey") as server:
        server.kill()
        config = config_for({"echo": {**ONE_TRY, "prices": PRICES}}, {"e": ["echo/small"]}, state=server.url)
        config["auth"]["keys"] += [
            {"name": n, "key": key_of(n), **given} for n, given in allowances().items()
        ]
        with start_gateway(tmp_path / "a", secrets, config) as gateway:
            assert readiness(gateway) == "degraded"
            assert [code(ask(gateway, key)) for key in ("shared", "closed", "strict", "learned")] == [
                "ok",
                "limits_unavailable",
                "limits_unavailable",
                "ok",
            ]
            server.start()
            gateway.eventually(lambda: readiness(gateway) == "exact", "Redis", within=RECOVERY)
            gateway.eventually(lambda: code(ask(gateway, "strict")) == "ok", "budgets", within=RECOVERY)
            gateway.take_as_rest()
