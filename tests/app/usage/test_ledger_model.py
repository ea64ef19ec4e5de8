"""Calls that begin and end, shipments, crashes and torn writes in any order: each call is one row in the end."""

import asyncio
import random
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.config.storage import Storage
from app.store.calls import CallStore
from app.store.database import Database, StoreUnavailable
from app.store.spending import SpendStore
from app.telemetry.record import Charge
from app.usage.frames import encode_frame
from app.usage.spool import Spool
from app.usage.writer import LedgerWriter
from tests.app.conftest import _intend as intend_one
from tests.app.conftest import _make as make_one
from tests.harness.crew import start_crew
from tests.harness.postgres import PostgresServer

LOG = structlog.get_logger()
KINDS = [
    *("begin", "begin", "begin", "end", "end", "refused"),
    *("ship", "refuse", "forget", "stop", "crash", "tear"),
]
STEPS = st.lists(st.sampled_from(KINDS), max_size=30)
RESERVED, SPENT = 1_000, 7


class Unlucky(CallStore):
    """The real store, whose next transaction can fail before it, lose its answer after it, or be the last."""

    fault = None

    async def insert_calls(self, batch, spool, offset, opened=None):
        fault = self.fault
        if fault in ("refuse", "stop"):
            self.fault = None
            raise StoreUnavailable(fault)
        new = await super().insert_calls(batch, spool, offset, opened)
        self.fault = None
        if fault == "forget":
            raise StoreUnavailable(fault)
        return new


class World:
    def __init__(self, folder, storage, make_record, make_intent, name=""):
        self.folder = folder
        self.name = name
        self.make_record = make_record
        self.make_intent = make_intent
        self.database = Database.at(Storage.of(storage or f"sqlite:///{folder}/a.db"))
        self.store = Unlucky(self.database)
        self.ends = {}
        self.running = []
        self.runs = 0
        self.start()

    def start(self):
        self.runs += 1
        self.spool = Spool(self.folder / "spool", f"{self.name}{self.runs:04d}", LOG, segment_limit=2_000)
        self.writer = LedgerWriter(self.store, self.spool, LOG, batch_rows=2)

    def charges(self, nano):
        return [Charge(subject="key:ci", period="day", period_start=0, nano=nano)]

    def begin(self):
        id = self.next_id()
        self.spool.append(self.make_intent(id, charges=self.charges(RESERVED)))
        self.ends[id] = "interrupted"
        self.running.append(id)

    def end(self):
        if self.running:
            self.record(self.running.pop(0))

    def refused(self):
        self.record(self.next_id())

    def next_id(self):
        return f"{self.name}c{len(self.ends)}"

    def record(self, id):
        self.spool.append(self.make_record(id, charges=self.charges(SPENT)))
        self.ends[id] = "success"

    async def ship(self, fault=None):
        self.store.fault = fault
        try:
            await self.writer.ship()
        except StoreUnavailable:
            self.writer = LedgerWriter(self.store, self.spool, LOG, batch_rows=2)
        self.store.fault = None

    def crash(self):
        # What the end of a process leaves: the files as written, and no lock.
        self.spool.close()
        self.spool.sync()
        self.running.clear()
        self.start()

    def tear(self):
        path = self.spool.path
        torn = self.make_record(self.running[0] if self.running else "never acknowledged")
        self.crash()
        with path.open("ab") as file:
            file.write(encode_frame(torn)[:-1])

    async def step(self, name):
        match name:
            case "begin" | "end" | "refused" | "crash" | "tear":
                getattr(self, name)()
            case "ship":
                await self.ship()
            case "stop":
                # A crash while what an earlier run left is being shipped.
                self.crash()
                await self.ship("stop")
                self.crash()
            case fault:
                await self.ship(fault)

    async def close(self):
        await self.writer.close(10)
        found = await facts_in(self.database)
        await self.database.close()
        return found


async def facts_in(database):
    rows = await CallStore(database).list_calls(10_000)
    sums = {line.group["outcome"]: line.calls for line in await CallStore(database).sum_calls(["outcome"])}
    spent = sum(each.nano for each in await SpendStore(database).spend(["key:ci"], 0))
    async with database.read() as connection:
        left = (await connection.exec_driver_sql("SELECT count(*) FROM open_calls")).scalar()
    return rows, sums, spent, left


def each_call_is_one_row_and_one_charge(steps, make_record, make_intent, storage=None):
    async def live(folder):
        world = World(folder, storage, make_record, make_intent)
        for step in steps:
            await world.step(step)
        return world, *await world.close()

    with tempfile.TemporaryDirectory() as folder:
        world, rows, sums, spent, left = asyncio.run(live(Path(folder)))
        files = list((Path(folder) / "spool").iterdir())
    check(world.ends, rows, sums, spent, left)
    assert files == []


def check(expected, rows, sums, spent, left):
    assert sorted((row.id, row.outcome) for row in rows) == sorted(expected.items())
    ends = Counter(expected.values())
    assert sums == ends
    assert spent == ends["interrupted"] * RESERVED + ends["success"] * SPENT
    assert left == 0


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_each_call_is_one_row_and_one_charge_in_the_end(steps, make_record, make_intent):
    each_call_is_one_row_and_one_charge(steps, make_record, make_intent)


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_each_of_many_calls_is_one_row_and_one_charge_in_the_end(steps, make_record, make_intent):
    each_call_is_one_row_and_one_charge(steps, make_record, make_intent)


@pytest.mark.slow
@pytest.mark.timeout(300)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_case_113_each_call_is_one_row_and_one_charge_in_postgresql_too(
    steps, make_record, make_intent, postgres
):
    each_call_is_one_row_and_one_charge(steps, make_record, make_intent, postgres.new_database())


class Keeper:
    """One of several processes that keep one ledger."""

    async def live(self, number, folder, storage, steps):
        """Live through so many steps at random."""
        mine = Path(folder) / str(number)
        mine.mkdir()
        self.world = World(mine, storage, make_one, intend_one, name=f"p{number}-")
        chance = random.Random(number)
        for _ in range(steps):
            await self.world.step(chance.choice(KINDS))

    async def end(self, _number):
        """Ship what is left; give what became of each call, and what the spool still has."""
        await self.world.ship()
        await self.world.writer.close(60)
        await self.world.database.close()
        return self.world.ends, [path.name for path in (self.world.folder / "spool").iterdir()]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_case_113_four_processes_keep_one_ledger_in_a_postgresql_that_is_killed_and_frozen(tmp_path):
    with PostgresServer() as server, start_crew(Keeper) as crew:
        url = server.new_database()
        asyncio.run(prepare(url))
        over = threading.Event()
        hurting = threading.Thread(target=hurt, args=(server, over))
        hurting.start()
        try:
            crew.all("live", str(tmp_path), url, 1_000)
        finally:
            over.set()
            hurting.join()
        came = crew.all("end")
        ends = {id: end for ended, _ in came for id, end in ended.items()}
        assert [files for _, files in came] == [[]] * len(crew)
        assert len(ends) > 500
        check(ends, *asyncio.run(facts_of(url)))


def hurt(server, over):
    while not over.wait(0.7):
        server.kill()
        time.sleep(0.2)
        server.start()
        if not over.wait(0.7):
            server.freeze()
            time.sleep(0.5)
            server.thaw()


async def prepare(url):
    await (await Database.open(url)).close()


async def facts_of(url):
    database = await Database.open(url)
    found = await facts_in(database)
    await database.close()
    return found
