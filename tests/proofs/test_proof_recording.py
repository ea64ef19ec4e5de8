"""F15, F16: what recording costs a request, and what becomes of calls while the database takes nothing."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import structlog

from app.telemetry.record import CallRecord, Intent
from app.usage.ledger import Ledger
from app.usage.spool import Spool
from tests.app.gateway.building import build, chat, config_yaml
from tests.e2e.test_postgres_gateway import cli, gateways, rows
from tests.harness.gateway import KEY, Gateway, chat_body
from tests.harness.pace import pace
from tests.harness.postgres import PostgresServer
from tests.harness.rig import config_for, start_gateway
from tests.harness.secrets import Secrets
from tests.proofs.conftest import Note

pytestmark = [pytest.mark.proofs, pytest.mark.timeout(300)]
RATE, SECONDS, ROUNDS = 150, 6, 4
LOCKED = 15.0


async def paced(port: int, rate: float, seconds: float, name: str, key: str = KEY) -> tuple[list[float], int]:
    """Make calls at a steady rate; give the milliseconds, and how many failed."""
    made = await pace(port, rate, seconds, chat_body("echo/any", max_tokens=20), name, key)
    return [call.milliseconds for call in made], sum(call.status != 200 for call in made)


class Unrecorded(Gateway):
    """The gateway with a ledger that forgets."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.has_all_its_books = False

    def start(self) -> None:
        run = subprocess.Popen

        def without(command: list[str], **options: object) -> object:
            return run([sys.executable, "-m", "tests.proofs.unrecorded_run", *command[3:]], **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(subprocess, "Popen", without)
            super().start()


async def test_f15_recording_on_and_off(tmp_path: Path, secrets: Secrets, note: Note) -> None:
    """One after the other, in turns, so that what else the machine does falls on both."""
    p99: dict[str, list[float]] = {"on": [], "off": []}
    for turn in range(ROUNDS):
        for name, kind in (("on", Gateway), ("off", Unrecorded)):
            folder = tmp_path / f"{name}-{turn}"
            folder.mkdir()
            with kind(config_for({"echo": {}}, {}), folder, secrets) as gateway:
                await paced(gateway.port, RATE, 1, "warm")
                times, failed = await paced(gateway.port, RATE, SECONDS, "measured")
                rows = len(gateway.rows())
            assert failed == 0
            assert (rows > 0) == (name == "on")
            p99[name].append(statistics.quantiles(times, n=100)[98])
    on, off = min(p99["on"]), min(p99["off"])
    what = f"p99 of calls with recording and without, {RATE} a second, the best of {ROUNDS} runs each"
    note("F15", what, "+1 ms at most", f"{on - off:+.2f} ms ({on:.2f} and {off:.2f})")
    assert on - off < 5.0, p99


async def test_f15_what_a_record_costs(tmp_path: Path, note: Note) -> None:
    house = build(tmp_path / "house", config_yaml(key='budget: {amount: "1", per: day}'))
    await house.serve(chat(max_tokens=10))
    intent, record = house.memory.intents[-1], house.memory.records[-1]
    assert isinstance(intent, Intent)
    assert isinstance(record, CallRecord)
    spool = Spool(tmp_path / "spool", "run-proof", structlog.get_logger())
    ledger = Ledger(spool, lambda: None)
    times = []
    for _ in range(20_000):
        began = time.perf_counter_ns()
        ledger.begin(intent)
        ledger.settle(record)
        times.append(time.perf_counter_ns() - began)
    spool.close()
    spool.sync()
    spread = statistics.quantiles(times, n=100)
    measured = f"p50 {spread[49] / 1000:.0f} µs, p99 {spread[98] / 1000:.0f} µs; nothing is awaited"
    note("F15", "intent and record of a call, written to the spool", "0 awaits on a database", measured)
    assert spread[49] < 1_000_000


async def test_f16_the_store_is_locked(tmp_path: Path, secrets: Secrets, note: Note) -> None:
    """Five minutes scaled down: another process holds the database's lock while calls go on."""
    rate = 100.0
    with start_gateway(tmp_path / "run", secrets, config_for({"echo": {}}, {})) as gateway:
        before, failed_before = await paced(gateway.port, rate, 2, "before")
        lock = sqlite3.connect(gateway.database, timeout=5, isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        during, failed = await paced(gateway.port, rate, LOCKED, "during")
        waiting = len(before) + len(during)
        lock.execute("ROLLBACK")
        lock.close()
        freed = time.monotonic()
        gateway.eventually(lambda: len(gateway.rows()) >= waiting, "the rows of all calls", 60.0)
        drained = time.monotonic() - freed
        ids = [row["request_id"] for row in gateway.rows()]
    assert len(ids) == len(set(ids)) == waiting
    assert set(ids) == {
        *(f"before-{n}" for n in range(len(before))),
        *(f"during-{n}" for n in range(len(during))),
    }
    slow = statistics.quantiles(during, n=100)[98]
    what = f"SQLite locked for {LOCKED:.0f} s (5 min scaled down) at {rate:.0f} calls a second"
    measured = (
        f"{failed} failed, {waiting - len(ids)} rows lost, drained in {drained:.1f} s, p99 {slow:.1f} ms"
    )
    note("F16", what, "0 failed, 0 lost, drained ≤ 60 s", measured)
    assert failed + failed_before == 0


async def test_f16_postgresql_is_away(tmp_path: Path, secrets: Secrets, note: Note) -> None:
    """Two gateways write to it. It hangs for half of the time, and is dead for the other half."""
    rate = 50.0
    with PostgresServer() as server, gateways(2, tmp_path, secrets, url := server.new_database()) as running:
        made = secrets.plant(cli(running[0], "keys", "create", "people").strip())
        for gateway in running:
            gateway.eventually(
                lambda g=gateway: g.post("/v1/chat/completions", {}, key=made).status != 401, "it"
            )

        async def flow(seconds: float, name: str) -> list[tuple[list[float], int]]:
            called = (paced(g.port, rate, seconds, f"{name}-{n}", made) for n, g in enumerate(running))
            return await asyncio.gather(*called)

        came = await flow(2, "before")
        server.freeze()
        came += await flow(LOCKED / 2, "hanging")
        server.kill()
        came += await flow(LOCKED / 2, "dead")
        server.start()
        back = time.monotonic()
        calls = sum(len(times) for times, _ in came)
        running[0].eventually(lambda: len(rows(server, url)) >= calls, "the rows of all calls", 60.0)
        drained = time.monotonic() - back
        ids = rows(server, url)
    names = {"-".join(id.split("-")[:2]) for id in ids}
    assert names == {f"{name}-{n}" for name in ("before", "hanging", "dead") for n in range(2)}
    failed = sum(bad for _, bad in came)
    slow = statistics.quantiles([each for times, _ in came[2:] for each in times], n=100)[98]
    what = f"PostgreSQL stopped and then killed, {LOCKED:.0f} s (5 min scaled down), two gateways, {2 * rate:.0f} calls a second"
    measured = f"{failed} failed, {calls - len(set(ids))} rows lost, {len(ids) - len(set(ids))} doubled, drained in {drained:.1f} s, p99 {slow:.1f} ms"
    note("F16", what, "0 failed, 0 lost, drained ≤ 60 s", measured)
    assert failed == 0
    assert len(ids) == len(set(ids)) == calls
