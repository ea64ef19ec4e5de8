"""Calls that begin and end, shipments, crashes and torn writes in any order: each call is one row in the end."""

import asyncio
import tempfile
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

LOG = structlog.get_logger()
STEPS = st.lists(
    st.sampled_from(
        [
            "begin",
            "begin",
            "begin",
            "end",
            "end",
            "refused",
            "ship",
            "refuse",
            "forget",
            "stop",
            "crash",
            "tear",
        ]
    ),
    max_size=30,
)
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
    def __init__(self, folder, storage, make_record, make_intent):
        self.folder = folder
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
        self.spool = Spool(self.folder / "spool", f"{self.runs:04d}", LOG, segment_limit=2_000)
        self.writer = LedgerWriter(self.store, self.spool, LOG, batch_rows=2)

    def charges(self, nano):
        return [Charge(subject="key:ci", period="day", period_start=0, nano=nano)]

    def begin(self):
        id = f"c{len(self.ends)}"
        self.spool.append(self.make_intent(id, charges=self.charges(RESERVED)))
        self.ends[id] = "interrupted"
        self.running.append(id)

    def end(self):
        if self.running:
            self.record(self.running.pop(0))

    def refused(self):
        self.record(f"c{len(self.ends)}")

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
        rows = await self.store.list_calls(1000)
        sums = {line.group["outcome"]: line.calls for line in await self.store.sum_calls(["outcome"])}
        spent = sum(each.nano for each in await SpendStore(self.database).spend(["key:ci"], 0))
        async with self.database.read() as connection:
            left = (await connection.exec_driver_sql("SELECT count(*) FROM open_calls")).scalar()
        await self.database.close()
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
    assert sorted((row.id, row.outcome) for row in rows) == sorted(world.ends.items())
    ends = Counter(world.ends.values())
    assert sums == ends
    assert spent == ends["interrupted"] * RESERVED + ends["success"] * SPENT
    assert (left, files) == (0, [])


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
