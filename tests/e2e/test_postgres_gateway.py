"""Gateways, as processes, on one PostgreSQL that is frozen, killed and started again while calls flow."""

from __future__ import annotations

import base64
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness.gateway import KEY, ROOT, Gateway, chat_body
from tests.harness.postgres import PostgresServer
from tests.harness.rig import config_for
from tests.harness.secrets import Secrets, canary
from tests.harness.valkey import Valkey

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
CHAT = "/v1/chat/completions"
UNKNOWN = "sk-unknown-0123456789abcdef"
PASSWORD = "hunter2-secret"


class Flow:
    """Calls, one after the other, by two keys; keeps what came of each."""

    def __init__(self, gateway: Gateway, keys: list[str]) -> None:
        self.statuses: list[int] = []
        self.ids: list[str] = []
        self._gateway = gateway
        self._keys = keys
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            key = self._keys[len(self.ids) % len(self._keys)]
            answer = self._gateway.post(CHAT, chat_body("echo/any"), key=key)
            self.statuses.append(answer.status)
            self.ids.append(answer.request_id)
            time.sleep(0.02)


@pytest.fixture
def server(secrets: Secrets) -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


def config_of(url: str) -> dict[str, object]:
    config = config_for({"echo": {}}, {}, storage=url)
    config["auth"]["stale_after"] = "2s"
    return config


@contextmanager
def gateways(count: int, folder: Path, secrets: Secrets, url: str) -> Iterator[list[Gateway]]:
    secrets.plant(PASSWORD)
    running: list[Gateway] = []
    try:
        for number in range(count):
            directory = folder / f"gateway-{number}"
            directory.mkdir()
            running.append(Gateway(config_of(url), directory, secrets))
            running[-1].start()
        yield running
    finally:
        for gateway in running:
            gateway.stop()


def cli(gateway: Gateway, *arguments: str) -> str:
    """Run a command beside the gateway; give what it prints."""
    config = str(gateway.directory / "config.yaml")
    ran = subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments, "--config", config],
        cwd=gateway.directory,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert PASSWORD not in ran.stdout + ran.stderr
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def rows(server: PostgresServer, url: str) -> list[str]:
    database = url.rpartition("/")[2].partition("?")[0]
    return server.sql("SELECT request_id FROM calls", database).splitlines()


def status_of(gateway: Gateway, key: str) -> int:
    return gateway.post(CHAT, chat_body("echo/any"), key=key).status


def test_case_113_an_outage_fails_no_call_of_a_known_key_and_loses_and_doubles_no_row(
    server: PostgresServer, tmp_path: Path, secrets: Secrets
) -> None:
    url = server.new_database()
    with gateways(2, tmp_path, secrets, url) as running:
        first, second = running
        made = cli(first, "keys", "create", "people").strip()
        secrets.plant(made)
        for gateway in running:
            gateway.eventually(lambda gateway=gateway: status_of(gateway, made) == 200, "the new key", 1.5)
        assert status_of(first, UNKNOWN) == 401
        flows = [Flow(gateway, [KEY, made]) for gateway in running]
        try:
            time.sleep(1)
            server.freeze()
            time.sleep(8)
            assert status_of(first, UNKNOWN) == 503
            assert first.send("GET", "/health/ready").status == 200
            server.thaw()
            first.eventually(lambda: status_of(first, UNKNOWN) == 401, "a fresh snapshot", 20)
            server.kill()
            first.eventually(lambda: status_of(first, UNKNOWN) == 503, "a stale snapshot", 20)
            first.eventually(lambda: "ledger_store_down" in first.output, "the outage to be told of", 20)
            assert first.metrics()["switchgear_ledger_store_up"] == 0
            server.start()
            first.eventually(lambda: first.metrics()["switchgear_ledger_store_up"] == 1, "its end", 30)
            time.sleep(1)
        finally:
            for flow in flows:
                flow.stop()
        assert {status for flow in flows for status in flow.statuses} == {200}
        sent = [id for flow in flows for id in flow.ids]
        assert len(sent) > 200
        known = set(sent)
        first.eventually(lambda: known <= set(rows(server, url)), "all rows", 60)
        found = [id for id in rows(server, url) if id in known]
        assert len(found) == len(set(found)) == len(sent)

        assert "people" in cli(second, "keys", "list")
        assert "echo" in cli(second, "usage", "--by", "provider")
        assert f"postgres:***@127.0.0.1:{server.port}" in cli(second, "doctor")
        cli(second, "keys", "revoke", "people")
        for gateway in running:
            gateway.eventually(lambda gateway=gateway: status_of(gateway, made) == 401, "its end", 1.5)


def test_case_48_neither_store_holds_a_secret_in_the_clear(
    server: PostgresServer, valkey: Valkey, tmp_path: Path, secrets: Secrets
) -> None:
    """Keys, tokens, providers' credentials: looked for in all that the two stores would give a thief."""
    valkey.run("FLUSHALL")
    master, stored = (secrets.plant(canary(name)) for name in ("MASTER_OF_STORES", "STORED_IN_POSTGRESQL"))
    sealing = secrets.plant(base64.b64encode(b"canary-that-seals-what-is-stored").decode())
    config = {**config_of(url := server.new_database()), "state": valkey.url}
    config["providers"]["kept"] = {"base_url": "http://127.0.0.1:9/v1", "allow_private": True}
    config["auth"] |= {"master_key": master}
    config["auth"]["keys"][0] |= {"limits": {"rpm": 99}, "budget": {"amount": "1", "per": "day"}}
    for provider in config["providers"].values():
        provider["prices"] = {"*": {"input_mtok": "1", "output_mtok": "1"}}
    gateway = Gateway(config, tmp_path, secrets, env={"SWITCHGEAR_ENCRYPTION__KEYS": sealing})
    gateway.start()
    try:
        added = gateway.post("/admin/v1/providers/kept/credentials", {"key": stored}, key=master)
        assert added.status == 201, added.body
        made = gateway.post("/admin/v1/keys", {"name": "people", "limits": {"rpm": 9}}, key=master).json[
            "key"
        ]
        secrets.plant(made)
        gateway.eventually(lambda: status_of(gateway, made) == 200, "the new key", 1.5)
        called = [gateway.chat(model).request_id for model in ("echo/any", "kept/any")]
        gateway.eventually(lambda: set(called) <= set(rows(server, url)), "their rows")
        with valkey.client() as client:
            everything = b"\n".join(part for key in client.keys("*") for part in (key, client.dump(key)))
        dumped = server.dump(url)
    finally:
        gateway.stop()
    assert "people" in dumped
    assert b"key:app" in everything
    secrets.assert_absent(dumped.encode(), "a dump of PostgreSQL")
    secrets.assert_absent(everything, "a dump of Valkey")


def test_case_116_a_gateway_that_is_killed_has_a_row_for_each_call_it_answered(
    server: PostgresServer, tmp_path: Path, secrets: Secrets
) -> None:
    url = server.new_database()
    with gateways(1, tmp_path, secrets, url) as (gateway,):
        ids = []
        for _ in range(3):
            server.freeze()
            ids += [gateway.chat("echo/any").request_id for _ in range(10)]
            gateway.process.kill()
            gateway.process.wait()
            server.thaw()
            gateway.start()
            ids += [gateway.chat("echo/any").request_id for _ in range(10)]
        gateway.eventually(lambda: len(rows(server, url)) >= len(ids), "all rows", 30)
        assert sorted(rows(server, url)) == sorted(ids)
