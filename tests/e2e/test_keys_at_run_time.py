"""A key made while the gateway runs: its limits and budget hold on every instance within a second, and so does its end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.gateway import Gateway, chat_body
from tests.harness.rig import ONE_TRY, config_for, start_gateway
from tests.harness.secrets import Secrets

MASTER = "sk-master-0123456789abcdef"
WITHIN = 1.0
"""Seconds in which a change holds everywhere."""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, secrets: Secrets) -> Iterator[tuple[Gateway, Gateway]]:
    """Two gateways with one database."""
    folder: Path = tmp_path_factory.mktemp("run-time-keys")
    prices = {"*": {"input_mtok": "1", "output_mtok": "1"}}
    config = config_for(
        {"echo": {**ONE_TRY, "prices": prices}}, {}, storage=f"sqlite:///{folder}/shared/switchgear.db"
    )
    config["auth"]["master_key"] = secrets.plant(MASTER)
    first = {**config, "ledger": {"spool": str(folder / "spool-a")}}
    second = {**config, "ledger": {"spool": str(folder / "spool-b")}}
    with start_gateway(folder / "a", secrets, first) as a, start_gateway(folder / "b", secrets, second) as b:
        a.has_all_its_books = b.has_all_its_books = False
        yield a, b


def admin(gateway: Gateway, method: str, path: str, **body: Any) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {MASTER}", "content-type": "application/json"}
    content = json.dumps(body).encode() if body else b""
    answer = gateway.send(method, f"/admin/v1{path}", body=content, headers=headers)
    assert answer.status in {200, 201}, answer.body
    found: dict[str, Any] = answer.json
    return found


def call(gateway: Gateway, key: str) -> int:
    return gateway.post("/v1/chat/completions", chat_body("echo/echo", max_tokens=5), key=key).status


def test_case_30_limits_and_the_end_of_a_key_hold_on_both(pair):
    here, there = pair
    made = admin(here, "POST", "/keys", name="mover", limits={"rpm": 2})
    assert call(here, made["key"]) == 200
    there.eventually(lambda: call(there, made["key"]) == 200, "the key", within=WITHIN)
    assert call(here, made["key"]) == 200
    assert call(here, made["key"]) == 429
    admin(there, "POST", f"/keys/{made['id']}/revoke")
    assert call(there, made["key"]) == 401
    here.eventually(lambda: call(here, made["key"]) == 401, "its end", within=WITHIN)


def test_a_rotated_key_works_on_both_for_the_grace(pair):
    here, there = pair
    made = admin(here, "POST", "/keys", name="turning")
    new = admin(there, "POST", f"/keys/{made['id']}/rotate", grace="2s")
    rotated = time.monotonic()
    here.eventually(lambda: call(here, new["key"]) == 200, "the new key", within=WITHIN)
    assert call(there, made["key"]) == call(here, made["key"]) == 200
    assert time.monotonic() < rotated + 2
    for each in pair:
        each.eventually(
            lambda each=each: call(each, made["key"]) == 401, "the end of the old key", within=3.0
        )
        assert call(each, new["key"]) == 200


def test_a_budget_of_a_key_is_spent_by_its_calls(pair):
    here, _ = pair
    made = admin(here, "POST", "/keys", name="thrifty", budget={"amount": "0.000030", "per": "day"})
    statuses = []
    while (status := call(here, made["key"])) == 200 and len(statuses) < 20:
        statuses.append(status)
    assert statuses
    assert status == 429
    (standing,) = admin(here, "GET", "/budgets?subject=key:thrifty")["data"]
    assert 0 < float(standing["spent"]) <= float(standing["amount"])
