"""Appends, shipments, crashes and torn writes in any order: each record is one row in the end."""

import asyncio
import tempfile
from pathlib import Path

import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.store.calls import CallStore
from app.store.database import Database, StoreUnavailable
from app.usage.frames import encode_frame
from app.usage.spool import Spool
from app.usage.writer import LedgerWriter

LOG = structlog.get_logger()
STEPS = st.lists(
    st.sampled_from(["append", "append", "append", "ship", "refuse", "forget", "crash", "tear"]), max_size=25
)


class Unlucky(CallStore):
    """The real store, whose next transaction can fail before it or lose its answer after it."""

    fault = None

    async def insert_calls(self, batch, spool, offset):
        fault, self.fault = self.fault, None
        if fault == "refuse":
            raise StoreUnavailable(fault)
        new = await super().insert_calls(batch, spool, offset)
        if fault == "forget":
            raise StoreUnavailable(fault)
        return new


class World:
    def __init__(self, folder, make_record):
        self.folder = folder
        self.make_record = make_record
        self.database = Database(folder / "a.db")
        self.store = Unlucky(self.database)
        self.written = []
        self.runs = 0
        self.begin()

    def begin(self):
        self.runs += 1
        self.spool = Spool(self.folder / "spool", f"{self.runs:04d}", LOG, segment_limit=3_000)
        self.writer = LedgerWriter(self.store, self.spool, LOG, batch_rows=2)

    def append(self):
        record = self.make_record(f"c{len(self.written)}")
        self.spool.append(record)
        self.written.append(record.id)

    async def ship(self, fault=None):
        self.store.fault = fault
        try:
            await self.writer.ship()
        except StoreUnavailable:
            self.writer = LedgerWriter(self.store, self.spool, LOG, batch_rows=2)
        self.store.fault = None

    def crash(self):
        # What the end of a process leaves: the file as written, and no lock.
        self.spool.close()
        self.spool.sync()
        self.begin()

    def tear(self):
        path = self.spool.path
        self.crash()
        with path.open("ab") as file:
            file.write(encode_frame(self.make_record("never acknowledged"))[:-1])

    async def step(self, name):
        match name:
            case "append" | "crash" | "tear":
                getattr(self, name)()
            case "ship":
                await self.ship()
            case fault:
                await self.ship(fault)

    async def end(self):
        await self.writer.close(10)
        async with self.database.read() as connection:
            rows = [row[0] for row in await connection.exec_driver_sql("SELECT id FROM calls")]
        await self.database.close()
        return rows


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_each_record_is_one_row_in_the_end(steps, make_record):
    async def live(folder):
        world = World(folder, make_record)
        for step in steps:
            await world.step(step)
        return world, await world.end()

    with tempfile.TemporaryDirectory() as folder:
        world, rows = asyncio.run(live(Path(folder)))
        left = list((Path(folder) / "spool").iterdir())
    assert sorted(rows) == sorted(world.written)
    assert left == []
