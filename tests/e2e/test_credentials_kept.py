"""Providers' credentials through the admin API: used at once and everywhere, rotated under load, kept over a restart, shown to nobody."""

from __future__ import annotations

import base64
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.harness import actions as act
from tests.harness.client import Response
from tests.harness.gateway import KEY, Gateway, chat_body
from tests.harness.regulars import regulars
from tests.harness.rig import config_for, provider, start_gateway
from tests.harness.secrets import Secrets, canary
from tests.harness.upstream import Action, Gate, Received, Upstream

pytestmark = pytest.mark.slow
ANSWER = "openai/chat_response.json"
MASTER = canary("MASTER_OF_CREDENTIALS")
SEALING = base64.b64encode(b"canary-that-seals-what-is-kept-5").decode()
OTHER_SEALING = base64.b64encode(b"canary-that-seals-it-afterwards-").decode()
WITHIN = 1.0
"""Seconds in which a change holds everywhere."""


@dataclass
class Bench:
    """Two gateways on one database, and what answers them."""

    here: Gateway
    there: Gateway
    upstream: Upstream
    secrets: Secrets

    def admin(self, method: str, path: str, body: Any = None, gateway: Gateway | None = None) -> Response:
        answer = (gateway or self.here).send(
            method,
            f"/admin/v1{path}",
            b"" if body is None else json.dumps(body).encode(),
            {"authorization": f"Bearer {MASTER}", "content-type": "application/json"},
        )
        self.secrets.assert_absent(answer.body, f"the answer to {method} {path}")
        return answer

    def add(self, name: str, key: str, **settings: Any) -> int:
        answer = self.admin("POST", f"/providers/{name}/credentials", {"key": key, **settings})
        assert answer.status == 201, answer.body
        return int(answer.json["id"])

    def script(self, slot: str, answers: dict[str, Action] | None = None) -> list[str]:
        """Answer by credential, else well. Gives the credentials that come, as they come."""
        seen: list[str] = []

        def choose(received: Received) -> Action:
            seen.append(str(received.header("authorization")).removeprefix("Bearer "))
            return (answers or {}).get(seen[-1], act.golden_reply(ANSWER))

        self.upstream.slot(slot).respond(choose)
        return seen


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, secrets: Secrets) -> Iterator[Bench]:
    folder: Path = tmp_path_factory.mktemp("kept-credentials")
    secrets.plant(MASTER)
    secrets.plant(SEALING)
    with Upstream() as upstream:
        off = provider(upstream, "openai", exact=True)
        del off["keys"]
        providers = {
            "openai": off,
            **{
                name: provider(upstream, name, exact=True) for name in ("joined", "turned", "held", "lasting")
            },
        }
        config = config_for(providers, {}, storage=f"sqlite:///{folder}/a/data/switchgear.db")
        config["auth"]["master_key"] = MASTER
        first = {**config, "ledger": {"spool": str(folder / "spool-a")}}
        second = {**config, "ledger": {"spool": str(folder / "spool-b")}}
        env = {"SWITCHGEAR_ENCRYPTION__KEYS": SEALING}
        with (
            start_gateway(folder / "a", secrets, first, env=env) as here,
            start_gateway(folder / "b", secrets, second, env=env) as there,
        ):
            here.has_all_its_books = there.has_all_its_books = False
            yield Bench(here, there, upstream, secrets)


def test_a_provider_without_a_key_is_on_as_soon_as_it_has_one_and_off_again_without(bench: Bench) -> None:
    key = bench.secrets.plant(canary("SWITCHES_ON"))
    seen = bench.script("new")
    assert bench.here.chat("openai/new").status == 404
    id = bench.add("openai", key)
    assert bench.here.chat("openai/new").status == 200
    bench.there.eventually(lambda: bench.there.chat("openai/new").status == 200, "it there", within=WITHIN)
    assert seen == [key, key]
    states = bench.admin("GET", "/providers").json["credentials"]
    (mine,) = [each for each in states if each["provider"] == "openai"]
    assert (mine["id"], mine["credential"], mine["state"]) == (id, 0, "ready")

    assert bench.admin("DELETE", f"/providers/openai/credentials/{id}").status == 200
    assert bench.here.chat("openai/new").status == 404
    bench.there.eventually(lambda: bench.there.chat("openai/new").status == 404, "its end", within=WITHIN)
    rows = bench.admin("GET", f"/audit?target=credential:openai/{id}").json["data"]
    assert [(row["action"], row["actor"]) for row in rows] == [
        ("credential.remove", "master"),
        ("credential.add", "master"),
    ]
    bench.here.assert_no_secrets()


def test_what_is_known_of_the_others_stays_when_one_comes_and_goes(bench: Bench) -> None:
    key = bench.secrets.plant(canary("JOINS"))
    configured = bench.here.config["providers"]["joined"]["keys"][0]
    seen = bench.script("joined", {configured: act.error_reply(401)})
    assert bench.here.chat("joined/joined").error["code"] == "upstream_auth_error"
    id = bench.add("joined", key, weight=3, models=["join*"])
    assert [bench.here.chat("joined/joined").status for _ in range(3)] == [200] * 3

    def states() -> list[tuple[int, str]]:
        found = bench.admin("GET", "/providers").json["credentials"]
        return [(each["credential"], each["state"]) for each in found if each["provider"] == "joined"]

    assert states() == [(0, "quarantined"), (1, "ready")]
    assert seen == [configured, key, key, key]
    assert bench.here.chat("joined/other").status != 200, "it is for other models"
    bench.admin("DELETE", f"/providers/joined/credentials/{id}")
    assert states() == [(0, "quarantined")]


def test_one_is_rotated_under_load_and_no_call_fails(bench: Bench) -> None:
    keys = [bench.secrets.plant(canary(f"TURN_{number}")) for number in range(6)]
    (configured,) = bench.here.config["providers"]["turned"]["keys"]
    seen = bench.script("turned")
    id = bench.add("turned", keys[0], weight=1000)
    with regulars(bench.here.port, 8, "turned", chat_body("turned/turned")) as tally:
        for key in keys:
            if key != keys[0]:
                answer = bench.admin("PATCH", f"/providers/turned/credentials/{id}", {"key": key})
                assert (answer.status, answer.json["hint"]) == (200, key[-4:])
            turned = len(seen)
            bench.here.eventually(lambda: seen[turned:].count(key) > 20, "calls with the new one")  # noqa: B023 - asked at once
    assert (set(tally.statuses), tally.failures) == ({200}, [])
    # A call that was sent when the answer came may still arrive after it.
    assert set(seen[turned + 8 :]) <= {keys[-1], configured}
    bench.admin("DELETE", f"/providers/turned/credentials/{id}")


def test_a_stream_goes_on_with_the_one_that_it_began_with(bench: Bench) -> None:
    gate = Gate()
    id = bench.add("held", bench.secrets.plant(canary("HELD")), weight=1000)
    events = act.events_of("openai/chat_stream_text.sse")
    rest = [act.wait_for(gate), *map(act.chunk, events[3:]), act.chunk(b"")]
    bench.upstream.slot("held").script(act.stream_of(events[:3], rest))
    with bench.here.client() as client:
        client.post("/v1/chat/completions", chat_body("held/held", stream=True), KEY)
        assert client.read_head() == 200
        seen = client.events()
        next(seen)
        assert bench.admin("DELETE", f"/providers/held/credentials/{id}").status == 200
        gate.open()
        assert [event.data for event in seen][-1] == "[DONE]"


def test_it_is_there_after_a_restart_and_while_the_database_is_away(bench: Bench) -> None:
    key = bench.secrets.plant(canary("LASTS"))
    seen = bench.script("lasting")
    bench.add("lasting", key, weight=1000)
    bench.here.restart()
    assert bench.here.chat("lasting/lasting").status == 200
    bench.there.eventually(
        lambda: bench.there.chat("lasting/lasting").status == 200 and key in seen, "it there"
    )
    assert seen[0] == key
    with closing(sqlite3.connect(bench.here.database, isolation_level=None)) as locked:
        locked.execute("BEGIN EXCLUSIVE")
        until = time.monotonic() + 2.0
        while time.monotonic() < until:
            assert bench.here.chat("lasting/lasting").status == 200
            time.sleep(0.05)
    assert seen[-1] == key


def test_one_that_no_key_opens_is_told_of_and_the_others_work(bench: Bench) -> None:
    one, two = (bench.secrets.plant(canary(f"LEFT_{number}")) for number in range(2))
    bench.secrets.plant(OTHER_SEALING)
    id = bench.add("openai", one)
    bench.here.stop()
    bench.here._env = {"SWITCHGEAR_ENCRYPTION__KEYS": OTHER_SEALING}
    bench.here.start()
    assert bench.here.chat("openai/left").status == 404
    assert bench.here.metrics()["switchgear_credentials_unopened"] >= 1
    assert bench.here.told("stored_credential_not_opened", provider="openai", id=id)
    (shown,) = bench.admin("GET", "/providers/openai/credentials").json["data"]
    assert (shown["opened"], shown["hint"]) == (False, one[-4:])
    seen = bench.script("left")
    bench.add("openai", two)
    assert bench.here.chat("openai/left").status == 200
    assert seen == [two]
    # The other gateway has the first key alone, and says so of the new one.
    bench.there.eventually(
        lambda: bench.there.metrics()["switchgear_credentials_unopened"] == 1,
        "that it cannot open it",
        WITHIN,
    )
