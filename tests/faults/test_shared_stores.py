"""One gateway of two workers on a Valkey and a PostgreSQL of its own, both hurt while calls flow."""

from __future__ import annotations

import os
import select
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.test_postgres_gateway import PASSWORD, cli
from tests.faults.test_shared_state import FAULTS, PRICES, allowances, ask, calls_go_on, code, key_of, up
from tests.harness import actions as act
from tests.harness.client import Client
from tests.harness.gateway import Gateway, chat_body
from tests.harness.postgres import PostgresServer
from tests.harness.regulars import Tally, regulars
from tests.harness.relay import Relay
from tests.harness.rig import ONE_TRY, config_for, provider
from tests.harness.secrets import Secrets
from tests.harness.upstream import Gate, Upstream
from tests.harness.valkey import Valkey, start_valkey

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
WORKERS = 2
HELD = 6
BROKE = "insufficient_quota"
ANSWER = "openai/chat_response.json"


@dataclass
class House:
    """The gateway, what it keeps things in, and what answers it."""

    gateway: Gateway
    valkey: Valkey
    postgres: PostgresServer
    relay: Relay
    upstream: Upstream
    url: str
    """Of the database, past the relay."""

    def sql(self, statement: str) -> list[str]:
        return self.postgres.sql(statement, self.database).splitlines()

    @property
    def database(self) -> str:
        return self.url.rpartition("/")[2].partition("?")[0]

    def rows(self) -> Counter[str]:
        return Counter(self.sql("SELECT request_id FROM calls"))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, secrets: Secrets) -> Iterator[House]:
    folder: Path = tmp_path_factory.mktemp("stores")
    secrets.plant(PASSWORD)
    with (
        start_valkey(folder / "valkey") as valkey,
        PostgresServer() as postgres,
        Relay(postgres.port) as relay,
        Upstream() as upstream,
    ):
        url = postgres.new_database()
        patient = {"response": "100s", "first_event": "100s"}
        providers = {
            "echo": {**ONE_TRY, "prices": PRICES},
            "up": provider(upstream, "up", exact=True, timeouts=patient, prices=PRICES),
        }
        through = url.replace(f":{postgres.port}/", f":{relay.port}/")
        config = config_for(providers, {"e": ["echo/small"]}, state=valkey.url, storage=through)
        config["server"] = {"workers": WORKERS}
        held = {
            "gauge": {"limits": {"concurrency": HELD}},
            # Five tokens at a millionth of a dollar each.
            "money": {"budget": {"amount": f"{HELD * 5 / 1e6:f}", "per": "total", "mode": "strict"}},
            "spender": {"budget": {"amount": "0.000050", "per": "total", "mode": "strict"}},
            "waster": {"budget": {"amount": "0.000050", "per": "total", "mode": "strict"}},
        }
        named = {**allowances(), **held}
        config["auth"]["keys"] += [{"name": n, "key": key_of(n), **given} for n, given in named.items()]
        (folder / "gateway").mkdir()
        gateway = Gateway(config, folder / "gateway", secrets)
        gateway.start()
        try:
            gateway.eventually(lambda: len(gateway.serving_pids()) == WORKERS, "all workers", 60.0)
            gateway.eventually(lambda: len(ups(gateway)) == WORKERS, "all workers' metrics", 60.0)
            yield House(gateway, valkey, postgres, relay, upstream, url)
        finally:
            gateway.stop()


def ups(gateway: Gateway) -> list[str]:
    return [name for name in gateway.metrics() if name.startswith("switchgear_shared_state_up")]


@pytest.mark.parametrize("fault", FAULTS)
def test_case_109_two_workers_go_on_by_the_declared_policy(house: House, fault: str) -> None:
    calls_go_on(house.valkey, [house.gateway], FAULTS[fault], workers=WORKERS)


@pytest.mark.parametrize("ledger", ["there", "away"])
def test_case_109_emptied_it_knows_the_ledger_before_it_admits(house: House, ledger: str) -> None:
    """What was spent is read from PostgreSQL first. While that is away, nothing is admitted at all."""
    gateway, key = house.gateway, {"there": "spender", "away": "waster"}[ledger]
    answers: list[str] = []
    while BROKE not in answers:
        answers.append(code(ask(gateway, key)))
        assert len(answers) < 100
    passed = answers.count("ok")
    assert set(answers) == {"ok", BROKE}
    calls = f"SELECT count(*) FROM calls WHERE key = '{key}' AND outcome = 'success'"
    gateway.eventually(lambda: house.sql(calls) == [str(passed)], "its rows")
    if ledger == "away":
        house.postgres.freeze()
    house.valkey.run("FLUSHALL")
    until = time.monotonic() + (6.0 if ledger == "away" else 2.0)
    later = [code(ask(gateway, key))]
    while time.monotonic() < until:
        later.append(code(ask(gateway, key)))
    assert "limits_unavailable" in later
    assert "ok" not in later
    if ledger == "away":
        assert BROKE not in later[-3:], "nobody can know"
        house.postgres.thaw()
    gateway.eventually(lambda: {code(ask(gateway, key)) for _ in range(8)} == {BROKE}, "the ledger", 20.0)
    gateway.eventually(lambda: up(gateway) == {1}, "recovery")


def broken(clients: list[Client]) -> list[int]:
    """Give the places of those whose connection has ended."""
    return [n for n, client in enumerate(clients) if select.select([client._socket], [], [], 0)[0]]


def test_what_one_worker_of_several_held_comes_back_when_it_is_killed(house: House) -> None:
    """Concurrency and reservations, within 30 s; each call that it had under way has its row."""
    gateway, gate = house.gateway, Gate()
    slot = house.upstream.slot("held")
    slot.script([act.wait_for(gate), *act.golden_reply(ANSWER)])
    house.upstream.slot("free").script(act.golden_reply(ANSWER))
    held = chat_body("up/held", prompt="Hi", max_tokens=5)
    free = chat_body("up/free", prompt="Hi", max_tokens=5)
    keys = ["gauge"] * HELD + ["money"] * HELD
    clients = [gateway.client(timeout=100.0) for _ in keys]
    for number, (client, key) in enumerate(zip(clients, keys, strict=True)):
        client.post("/v1/chat/completions", held, key_of(key), {"x-request-id": f"held-{number}"})
        gateway.eventually(lambda n=number: len(slot.requests) == n + 1, "a call under way")
    for key in ("gauge", "money"):
        assert gateway.post("/v1/chat/completions", free, key=key_of(key)).status == 429
    # Until one had calls of both keys; nearly always that is the first.
    lost: list[int] = []
    killed = time.monotonic()
    while {keys[n] for n in lost} != {"gauge", "money"}:
        victim = gateway.serving_pids()[0]
        os.kill(victim, signal.SIGKILL)
        gateway.eventually(
            lambda v=victim: v not in gateway.serving_pids() and len(ups(gateway)) == WORKERS, "another", 60.0
        )
        lost = broken(clients)
        killed = time.monotonic()
    for key in ("gauge", "money"):
        gateway.eventually(
            lambda k=key: gateway.post("/v1/chat/completions", free, key=key_of(k)).status == 200,
            f"what {key} held",
            within=30.0,
        )
    assert time.monotonic() - killed < 30.0
    ends = "SELECT request_id, outcome FROM calls WHERE request_id LIKE 'held-%'"
    interrupted = sorted(f"held-{n}|interrupted" for n in lost)
    gateway.eventually(lambda: sorted(house.sql(ends)) == interrupted, "rows of what was interrupted", 30.0)
    gate.open()
    assert {clients[n].read().status for n in range(len(keys)) if n not in lost} <= {200}
    gateway.eventually(lambda: len(house.sql(ends)) == len(keys), "the other rows")
    for client in clients:
        client.close()
    slot.script(act.golden_reply(ANSWER))


def slow(house: House) -> None:
    house.relay.delay = 0.4
    time.sleep(8)
    house.relay.delay = 0.0


def cut(house: House) -> None:
    for _ in range(20):
        house.relay.cut()
        time.sleep(0.3)


def freeze(house: House) -> None:
    house.postgres.freeze()
    time.sleep(6)
    house.postgres.thaw()


def kill(house: House) -> None:
    house.postgres.kill()
    time.sleep(3)
    house.postgres.start()


HURTS: dict[str, Callable[[House], None]] = {"slow": slow, "cut": cut, "frozen": freeze, "killed": kill}


@contextmanager
def flowing(house: House, name: str) -> Iterator[Tally]:
    with regulars(house.gateway.port, 4, name, chat_body("echo/any"), pause=0.02) as tally:
        yield tally


@pytest.mark.parametrize("hurt", HURTS)
def test_case_113_no_row_is_lost_or_doubled_by_two_workers(house: House, hurt: str) -> None:
    gateway = house.gateway
    with flowing(house, f"pg-{hurt}") as tally:
        time.sleep(0.5)
        HURTS[hurt](house)
        time.sleep(0.5)
    assert not tally.failures
    assert set(tally.statuses) == {200}
    gateway.eventually(lambda: set(tally.ids) <= house.rows().keys(), "all rows", 60.0)
    rows = house.rows()
    assert {rows[each] for each in tally.ids} == {1}


def test_case_113_both_are_killed_at_once(house: House) -> None:
    gateway = house.gateway
    with flowing(house, "both") as tally:
        house.valkey.kill()
        house.postgres.kill()
        gateway.eventually(lambda: up(gateway) == {0}, "the loss", 5.0)
        assert [code(ask(gateway, key)) for key in ("shared", "loose", "strict")] == [
            "ok",
            "ok",
            "limits_unavailable",
        ]
        house.valkey.start()
        time.sleep(1.5)
        assert code(ask(gateway, "strict")) == "limits_unavailable", "nobody has told it what was spent"
        house.postgres.start()
        gateway.eventually(lambda: up(gateway) == {1}, "recovery", 10.0)
        gateway.eventually(
            lambda: {code(ask(gateway, "strict")) for _ in range(6)} == {"ok"}, "budgets", 20.0
        )
    assert not tally.failures
    assert set(tally.statuses) == {200}
    gateway.eventually(lambda: set(tally.ids) <= house.rows().keys(), "all rows", 60.0)
    assert {house.rows()[each] for each in tally.ids} == {1}


def test_case_113_an_empty_database_in_its_place_gets_what_comes_then(house: House, secrets: Secrets) -> None:
    """As after somebody put back nothing: it makes its tables anew, and knows the keys of the configuration."""
    gateway = house.gateway
    made = secrets.plant(cli(gateway, "keys", "create", "gone").strip())
    body = chat_body("echo/any")

    def answers() -> set[int]:
        """Of enough calls that each worker has some."""
        return {gateway.post("/v1/chat/completions", body, key=made).status for _ in range(12)}

    gateway.eventually(lambda: answers() == {200}, "that all know it", 5.0)
    with flowing(house, "dropped"):
        house.postgres.sql(f"DROP DATABASE {house.database} WITH (FORCE)", "postgres")
        time.sleep(1)
        assert answers() == {200}, "as far as they know"
        house.postgres.sql(f"CREATE DATABASE {house.database}", "postgres")
        gateway.eventually(lambda: answers() == {401}, "that nobody knows that key", 30.0)
    with flowing(house, "anew") as tally:
        time.sleep(1)
    assert not tally.failures
    gateway.eventually(lambda: set(tally.ids) <= house.rows().keys(), "all rows", 60.0)
    assert {house.rows()[each] for each in tally.ids} == {1}
