"""Case 113: the ledger's far end is a PostgreSQL that goes away at the worst moments."""

import asyncio
import json

import pytest
import structlog

from app.config.storage import Storage
from app.store.calls import CallStore
from app.store.database import Database
from app.store.spending import SpendStore
from app.telemetry.record import Charge
from app.usage.ledger import Ledger
from app.usage.ledger_shipping import REJECTED
from app.usage.spool import Spool
from app.usage.writer import LedgerWriter
from tests.harness.postgres import PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
LOG = structlog.get_logger()
CHARGE = [Charge(subject="key:ci", period="day", period_start=0, nano=1)]


async def quickly(seconds):
    await asyncio.sleep(seconds / 20)


async def until(condition, within=30.0):
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.01)


class Forgetful:
    """Stands before the server. Armed, it passes the next COMMIT on and loses the answer with the connection."""

    def __init__(self, port):
        self.port = port
        self.armed = 0
        self.lost = 0

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.address = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def serve(self, reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.port)
        back = asyncio.create_task(self.pass_on(far_reader, writer))
        while data := await reader.read(65536):
            losing = self.armed and b"COMMIT" in data
            if losing:
                self.armed -= 1
                self.lost += 1
                back.cancel()
                await asyncio.wait([back])
            far_writer.write(data)
            await far_writer.drain()
            if losing:
                # Its answer says that the server has committed.
                await far_reader.read(1)
                break
        back.cancel()
        await asyncio.wait([back])
        for each in (writer, far_writer):
            each.transport.abort()

    async def pass_on(self, reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()


class Site:
    def __init__(self, folder, url):
        self.database = Database.at(Storage.of(url))
        self.store = CallStore(self.database)
        self.spool = Spool(folder / "spool", "1-run", LOG)
        self.writer = LedgerWriter(self.store, self.spool, LOG, sleep=quickly, batch_rows=10)
        self.ledger = Ledger(self.spool, self.writer.wake)

    async def close(self):
        await self.writer.close(30)
        await self.database.close()


async def facts(url):
    database = await Database.open(url)
    ids = [call.id for call in await CallStore(database).list_calls(10_000)]
    (line,) = await CallStore(database).sum_calls(["model"])
    (spent,) = await SpendStore(database).spend(["key:ci"], 0)
    await database.close()
    return sorted(ids), line.calls, spent.nano


async def test_case_113_a_commit_whose_answer_is_lost_counts_once(
    postgres, tmp_path, make_intent, make_record
):
    url = postgres.new_database()
    await (await Database.open(url)).close()
    async with Forgetful(postgres.port) as proxy:
        site = Site(tmp_path, url.replace(f":{postgres.port}/", f":{proxy.address}/"))
        site.writer.start()
        for i in range(200):
            site.ledger.begin(make_intent(f"c{i}"))
            site.ledger.settle(make_record(f"c{i}", charges=CHARGE))
            if i % 40 == 20:
                proxy.armed = 1
                await until(lambda: not proxy.armed)
            await asyncio.sleep(0.002)
        await until(lambda: not site.writer.store_is_down)
        await site.close()
    assert proxy.lost == 5
    ids, counted, spent = await facts(url)
    assert ids == sorted(f"c{i}" for i in range(200))
    assert (counted, spent) == (200, 200)
    assert list((tmp_path / "spool").iterdir()) == []


async def test_case_113_killed_frozen_and_started_again_it_has_every_call_once(
    tmp_path, make_intent, make_record
):
    with PostgresServer() as server:
        url = server.new_database()
        site = Site(tmp_path, url)
        site.writer.start()
        calls = 0

        async def flow(seconds):
            nonlocal calls
            end = asyncio.get_running_loop().time() + seconds
            while asyncio.get_running_loop().time() < end:
                site.ledger.begin(make_intent(f"c{calls}"))
                site.ledger.settle(make_record(f"c{calls}", charges=CHARGE))
                calls += 1
                await asyncio.sleep(0.005)

        for _ in range(3):
            await flow(0.5)
            server.kill()
            await flow(0.5)
            server.start()
            await until(lambda: not site.writer.store_is_down)
            await flow(0.3)
        server.freeze()
        await flow(1)
        server.thaw()
        await flow(0.5)
        await until(lambda: site.writer.shipped + site.writer.repeated >= calls, 60)
        await site.close()
        ids, counted, spent = await facts(url)
    assert ids == sorted(f"c{i}" for i in range(calls))
    assert (counted, spent) == (calls, calls)
    assert site.spool.lost == 0


async def test_case_113_one_poison_row_is_put_aside_and_the_others_go_in(postgres, tmp_path, make_record):
    site = Site(tmp_path, postgres.new_database())
    for i in range(30):
        poison = {"status": 1 << 40} if i == 17 else {"input_tokens": -1} if i == 3 else {}
        site.spool.append(make_record(f"c{i}", **poison))
    with structlog.testing.capture_logs() as events:
        site.writer._shipper._log = structlog.get_logger()
        await site.writer.ship()
    assert {call.id for call in await site.store.list_calls(100)} == {
        f"c{i}" for i in range(30) if i not in (3, 17)
    }
    assert site.writer.rejected == 2
    assert [event["event"] for event in events] == ["ledger_record_rejected"] * 2
    assert "req-c" not in json.dumps(events)
    await site.close()
    lines = [json.loads(line) for line in (tmp_path / "spool" / REJECTED).read_text().splitlines()]
    assert [json.loads(line["record"])["id"] for line in lines] == ["c3", "c17"]


async def test_batches_find_rows_by_key_whatever_the_tables_were_like_at_first(
    postgres, tmp_path, make_record
):
    url = postgres.new_database()
    site = Site(tmp_path, url)
    for i in range(2000):
        site.spool.append(make_record(f"c{i}"))
    await LedgerWriter(site.store, site.spool, LOG).ship()
    await site.close()
    read_whole = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'calls'"
    name = url.rpartition("/")[2].partition("?")[0]
    # What a connection has counted is told as it closes.
    await until(
        lambda: (
            postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()", name)
            == "1"
        )
    )
    assert int(postgres.sql(read_whole, name)) < 1000
