"""The figures of the ledger, measured here: `make proofs` prints them."""

import asyncio
import sqlite3
import statistics
import time

import pytest
import structlog

from app.store.calls import CallStore
from app.store.database import Database
from app.store.sqlite import Sqlite
from app.usage.ledger import Ledger
from app.usage.spool import Spool
from app.usage.writer import LedgerWriter
from tests.harness.postgres import PostgresServer

pytestmark = [pytest.mark.proofs, pytest.mark.slow, pytest.mark.timeout(300)]

RATE, OUTAGE, RUNNING = 200, 300, 1000
"""Calls a second, seconds without a database, calls that are under way at any time."""


@pytest.fixture
def said(capsys):
    def say(text):
        with capsys.disabled():
            print(f"\n{text}")

    return say


async def test_what_recording_takes_of_a_call(tmp_path, make_intent, make_record, said):
    log = structlog.get_logger()
    spool = Spool(tmp_path / "spool", "run", log)
    database = await Database.open(f"sqlite:///{tmp_path}/a.db")
    writer = LedgerWriter(CallStore(database), spool, log)
    ledger, took = Ledger(spool, writer.wake), {"begin": [], "settle": []}
    writer.start()
    late = []
    for i in range(5000):
        intent, record = make_intent(f"c{i}"), make_record(f"c{i}")
        begin = time.perf_counter()
        ledger.begin(intent)
        begun = time.perf_counter()
        ledger.settle(record)
        took["begin"].append(begun - begin)
        took["settle"].append(time.perf_counter() - begun)
        before = time.perf_counter()
        await asyncio.sleep(0)
        late.append(time.perf_counter() - before)
    while writer.shipped < 5000:
        before = time.perf_counter()
        await asyncio.sleep(0.001)
        late.append(time.perf_counter() - before - 0.001)
    await writer.close(10)
    await database.close()
    figures = {
        name: (statistics.median(t) * 1e6, statistics.quantiles(t, n=100)[98] * 1e6)
        for name, t in took.items()
    }
    held = statistics.quantiles(late, n=100)[98] * 1e3
    said(
        "F15: recording a call takes no await; intent "
        f"{figures['begin'][0]:.1f} us (p99 {figures['begin'][1]:.0f}), record {figures['settle'][0]:.1f} us "
        f"(p99 {figures['settle'][1]:.0f}); shipping holds the event loop for {held:.1f} ms (p99)"
    )
    assert figures["begin"][0] < 50


async def test_a_database_that_was_locked_for_five_minutes_is_caught_up_with(
    tmp_path, make_intent, make_record, said
):
    log = structlog.get_logger()
    database = Database(Sqlite(tmp_path / "a.db", busy_timeout=0.2))
    spool = Spool(tmp_path / "spool", "run", log)
    writer = LedgerWriter(CallStore(database), spool, log)
    ledger, calls = Ledger(spool, writer.wake), RATE * OUTAGE
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writer.start()
    for i in range(calls + RUNNING):
        if i < calls:
            ledger.begin(make_intent(f"c{i}"))
        if i >= RUNNING:
            ledger.settle(make_record(f"c{i - RUNNING}"))
        if i % 100 == 0:
            await asyncio.sleep(0)
    while not writer.store_is_down:
        await asyncio.sleep(0.01)
    other.execute("ROLLBACK")
    other.close()
    begin = time.perf_counter()
    while writer.shipped < calls:
        await asyncio.sleep(0.01)
    took = time.perf_counter() - begin
    await writer.close(10)
    async with database.read() as connection:
        rows = (await connection.exec_driver_sql("SELECT count(*) FROM calls")).scalar()
    await database.close()
    said(
        f"F16: {calls} calls of {OUTAGE} s without a database are in it {took:.1f} s after; {calls - rows} lost"
    )
    assert (rows, spool.lost) == (calls, 0)
    assert took < 60


async def test_a_postgresql_that_was_away_for_five_minutes_is_caught_up_with(
    tmp_path, make_intent, make_record, said
):
    log = structlog.get_logger()
    with PostgresServer() as server:
        database = await Database.open(server.new_database())
        spool = Spool(tmp_path / "spool", "run", log)
        writer = LedgerWriter(CallStore(database), spool, log)
        ledger, calls = Ledger(spool, writer.wake), RATE * OUTAGE
        server.kill()
        writer.start()
        for i in range(calls + RUNNING):
            if i < calls:
                ledger.begin(make_intent(f"c{i}"))
            if i >= RUNNING:
                ledger.settle(make_record(f"c{i - RUNNING}"))
            if i % 100 == 0:
                await asyncio.sleep(0)
        while not writer.store_is_down:
            await asyncio.sleep(0.01)
        server.start(fsync="on")
        begin = time.perf_counter()
        while writer.shipped < calls:
            await asyncio.sleep(0.01)
        took = time.perf_counter() - begin
        await writer.close(10)
        async with database.read() as connection:
            rows = (await connection.exec_driver_sql("SELECT count(*) FROM calls")).scalar()
        await database.close()
    said(
        f"F16: {calls} calls of {OUTAGE} s without PostgreSQL are in it {took:.1f} s after; {calls - rows} lost"
    )
    assert (rows, spool.lost) == (calls, 0)
    assert took < 60
