import asyncio
import json
import sqlite3

import pytest
import structlog

from app.store.calls import CallStore
from app.store.database import Database
from app.store.sqlite import Sqlite
from app.usage.frames import encode_frame
from app.usage.ledger import Ledger
from app.usage.ledger_shipping import REJECTED
from app.usage.spool import Spool
from app.usage.writer import LedgerWriter


async def quickly(seconds):
    await asyncio.sleep(seconds / 50)


async def until(condition):
    while not condition():
        await asyncio.sleep(0.005)


class Site:
    """A database, a spool folder, and runs that come and go."""

    def __init__(self, folder, database):
        self.folder = folder
        self.file = folder / "a.db"
        self.spools = folder / "spool"
        self.log = structlog.get_logger()
        self.database = database
        self.store = CallStore(self.database)

    def spool(self, name, **limits):
        return Spool(self.spools, name, self.log, **limits)

    def writer(self, spool, **more):
        return LedgerWriter(self.store, spool, self.log, sleep=quickly, **more)

    def leave(self, name, *parts):
        """Leave the file of a dead run."""
        self.spools.mkdir(exist_ok=True)
        (self.spools / f"{name}.spool").write_bytes(b"".join(parts))

    def names(self):
        return sorted(path.name for path in self.spools.iterdir())

    async def ids(self):
        async with self.database.read() as connection:
            place = {"sqlite": "rowid", "postgresql": "ctid"}[connection.dialect.name]
            found = await connection.exec_driver_sql(f"SELECT id FROM calls ORDER BY {place}")
            return [row[0] for row in found]


@pytest.fixture
def site(tmp_path, database):
    return Site(tmp_path, database)


@pytest.fixture
async def file_site(tmp_path):
    """One whose database is a SQLite file that is not waited for."""
    database = Database(Sqlite(tmp_path / "a.db", busy_timeout=0.05))
    yield Site(tmp_path, database)
    await database.close()


async def test_settled_calls_come_into_the_database_by_themselves(site, make_record):
    spool = site.spool("run")
    writer = site.writer(spool, batch_rows=7)
    writer.start()
    ledger = Ledger(spool, writer.wake)
    for i in range(50):
        ledger.settle(make_record(f"c{i}"))
    await until(lambda: writer.shipped == 50)
    ledger.settle(make_record("last"))
    await writer.close(5)
    assert await site.ids() == [*(f"c{i}" for i in range(50)), "last"]
    assert site.names() == []
    async with site.database.read() as connection:
        assert (await connection.exec_driver_sql("SELECT * FROM spools")).fetchall() == []


async def test_what_dead_runs_have_left_is_shipped_at_start_and_removed(site, make_record):
    site.leave("1-dead", encode_frame(make_record("a")), encode_frame(make_record("b")))
    site.leave("2-dead")
    spool = site.spool("3-live")
    writer = site.writer(spool)
    writer.start()
    await until(lambda: writer.shipped == 2 and len(site.names()) == 1)
    assert site.names() == [spool.path.name]
    await writer.close(5)


async def test_a_run_that_goes_on_keeps_its_file(site, make_record):
    other, mine = site.spool("1-other"), site.spool("2-mine")
    other.append(make_record("theirs"))
    mine.append(make_record("mine"))
    writer = site.writer(mine)
    await writer.close(5)
    assert await site.ids() == ["mine"]
    assert site.names() == [other.path.name]
    await site.writer(other).close(5)
    assert await site.ids() == ["mine", "theirs"]


async def test_two_runs_at_once_write_each_row_once(site, store_url, make_record):
    second = Site(site.folder, await Database.open(store_url))
    pairs = []
    for name, own in (("1-a", site), ("2-b", second)):
        spool = own.spool(name, segment_limit=5_000)
        pairs.append((spool, own.writer(spool, batch_rows=10)))
    for _, writer in pairs:
        writer.start()
    for i in range(100):
        for spool, writer in pairs:
            Ledger(spool, writer.wake).settle(make_record(f"{spool.path.name[:3]}-{i}"))
        await asyncio.sleep(0.001)
    for _, writer in pairs:
        await writer.close(20)
    await site.writer(site.spool("3-c")).close(20)
    found = await site.ids()
    assert len(found) == len(set(found)) == 200
    assert site.names() == []
    await second.database.close()


async def test_case_112_a_locked_database_is_waited_for_and_told_of_once(file_site, make_record):
    site = file_site
    await site.store.insert_calls([], "none", 0)
    with structlog.testing.capture_logs() as events:
        site.log = structlog.get_logger()
        spool = site.spool("run")
        writer = site.writer(spool)
        writer.start()
        other = sqlite3.connect(site.file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for i in range(20):
            Ledger(spool, writer.wake).settle(make_record(f"c{i}"))
        await until(lambda: writer.store_is_down)
        await asyncio.sleep(0.3)
        assert writer.shipped == 0
        other.execute("ROLLBACK")
        await until(lambda: writer.shipped == 20)
        await until(lambda: not writer.store_is_down)
        await writer.close(5)
    assert await site.ids() == [f"c{i}" for i in range(20)]
    assert [event["event"] for event in events] == ["ledger_store_down", "ledger_store_up"]
    assert "locked" in events[0]["reason"]
    other.close()


async def test_a_damaged_database_is_drained_into_once_it_is_repaired(file_site, make_record):
    site = file_site
    site.file.write_bytes(b"damaged" * 1000)
    spool = site.spool("run")
    writer = site.writer(spool)
    writer.start()
    Ledger(spool, writer.wake).settle(make_record("a"))
    await until(lambda: writer.store_is_down)
    assert spool.lost == 0
    site.file.unlink()
    await until(lambda: writer.shipped == 1)
    await writer.close(5)
    assert await site.ids() == ["a"]


async def test_an_older_copy_put_back_gets_the_rows_that_the_spool_still_has(file_site, make_record):
    site = file_site
    spool = site.spool("run")
    writer = site.writer(spool)
    spool.append(make_record("a"))
    await writer.ship()
    await site.database.close()
    copy = site.file.read_bytes()
    spool.append(make_record("b"))
    await writer.ship()
    await site.database.close()
    site.file.write_bytes(b"damaged" * 1000)
    writer.start()
    Ledger(spool, writer.wake).settle(make_record("c"))
    await until(lambda: writer.store_is_down)
    site.file.write_bytes(copy)
    await until(lambda: not writer.store_is_down)
    await writer.close(5)
    assert await site.ids() == ["a", "b", "c"]


@pytest.mark.parametrize("bad", [{3}, {0, 9}, set(range(10))])
async def test_poison_is_put_aside_with_its_reason_and_holds_nothing_up(site, make_record, bad):
    spool = site.spool("run")
    for i in range(10):
        spool.append(make_record(f"c{i}", input_tokens=-1 if i in bad else 1))
    writer = site.writer(spool)
    await writer.close(5)
    assert await site.ids() == [f"c{i}" for i in range(10) if i not in bad]
    lines = [json.loads(line) for line in (site.spools / REJECTED).read_text().splitlines()]
    assert [json.loads(line["record"])["id"] for line in lines] == [f"c{i}" for i in sorted(bad)]
    assert all("input_tokens_in_range" in line["reason"] for line in lines)
    assert (writer.rejected, writer.shipped) == (len(bad), 10 - len(bad))
    assert site.names() == [REJECTED]


async def test_a_record_that_this_release_cannot_read_is_put_aside(site, make_record):
    spool = site.spool("run")
    spool.append(make_record("odd", duration_ms=float("nan")))
    spool.append(make_record("good"))
    await site.writer(spool).close(5)
    assert await site.ids() == ["good"]
    assert "duration_ms" in json.loads((site.spools / REJECTED).read_text())["reason"]


async def test_a_damaged_file_is_shipped_as_far_as_it_can_be_read_and_kept(site, make_record):
    a, b, c = (encode_frame(make_record(id)) for id in "abc")
    broken = b[:40] + b"?" + b[41:]
    site.leave("1-hole", a, broken, c)
    site.leave("2-end", encode_frame(make_record("d")), broken)
    site.leave("3-zeros", encode_frame(make_record("e")), bytes(4096))
    await site.writer(site.spool("4-live")).close(5)
    assert await site.ids() == ["a", "c", "d", "e"]
    assert site.names() == [f"{name}.spool.damaged" for name in ("1-hole", "2-end", "3-zeros")]


@pytest.mark.parametrize("cut", [1, 7, 8, 9, -1])
async def test_a_record_torn_by_the_end_of_its_process_leaves_no_file(site, make_record, cut):
    site.leave("1-torn", encode_frame(make_record("a")), encode_frame(make_record("b"))[:cut])
    await site.writer(site.spool("2-live")).close(5)
    assert await site.ids() == ["a"]
    assert site.names() == []


async def test_the_end_does_not_wait_longer_than_told_and_the_next_start_ships_the_rest(
    file_site, make_record
):
    site = file_site
    await site.store.insert_calls([], "none", 0)
    other = sqlite3.connect(site.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    spool = site.spool("1-run")
    spool.append(make_record("a"))
    writer = site.writer(spool)
    writer.start()
    async with asyncio.timeout(5):
        await writer.close(0.02)
    other.execute("ROLLBACK")
    other.close()
    assert len(site.names()) == 1
    await site.writer(site.spool("2-run")).close(5)
    assert await site.ids() == ["a"]
    assert site.names() == []
