"""PostgreSQL in one breath. The longer suite has the whole of the store's and the ledger's tests over both databases."""

import asyncio
import hashlib

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from app.config.storage import Storage
from app.store.calls import CallStore, RowRejected
from app.store.database import Database, StoreUnavailable
from app.store.keys import KeyConflict, KeyStore, NewKey
from app.store.preparing import __file__ as preparing
from app.store.schema import SCHEMA_VERSION, metadata
from app.store.spending import SpendStore
from app.telemetry.record import Charge


async def test_calls_keys_and_spending_are_kept_and_impossible_rows_are_not(postgres, make_record):
    url = postgres.new_database()
    first, second = await asyncio.gather(Database.open(url), Database.open(url))
    charges = [Charge(subject="key:ci", period="day", period_start=0, nano=5)]
    records = [make_record(id, charges=charges, timestamp="2026-11-20T10:00:00Z") for id in "abc"]
    assert await CallStore(first).insert_calls(records[:2], "run", 7) == 2
    assert await CallStore(second).insert_calls(records, "other", 9) == 1
    with pytest.raises(RowRejected) as rejected:
        await CallStore(second).insert_calls([make_record("d", key="canary", input_tokens=-1)], "run", 8)
    assert "input_tokens_in_range" in str(rejected.value)
    assert "canary" not in str(rejected.value)

    listed = await CallStore(first).list_calls(10)
    assert {call.id for call in listed} == set("abc")
    (line,) = await CallStore(first).sum_calls(["key", "tag:project"])
    (counted,) = await CallStore(first).sum_calls(["key", "hour"])
    assert (line.calls, counted.calls, counted.cost, counted.latency.p50) == (
        3,
        3,
        "0.00369",
        pytest.approx(200, rel=0.05),
    )
    assert [each.nano for each in await SpendStore(second).spend(["key:ci"], 0)] == [15]
    assert await CallStore(second).spool_offset("run") == 7

    new = NewKey(name="app", digest=hashlib.sha256(b"x").hexdigest(), hint="abcd")
    before = await KeyStore(second).change_token()
    await KeyStore(first).create_key(new, 1.0)
    assert await KeyStore(second).change_token() != before
    with pytest.raises(KeyConflict):
        await KeyStore(second).create_key(new, 1.0)
    await first.close()
    await second.close()


def to_the_first_step(connection):
    config = Config()
    config.set_main_option("script_location", preparing.replace("preparing.py", "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "1")
    connection.exec_driver_sql("DROP TABLE alembic_version")


def differences(connection):
    return compare_metadata(MigrationContext.configure(connection), metadata)


async def test_several_that_start_at_once_migrate_it_once_and_a_newer_one_is_refused(postgres):
    opened = [Database.at(Storage.of(postgres.new_database()))]
    opened += [Database(opened[0]._driver) for _ in range(2)]
    async with opened[0]._driver.write() as connection:
        await connection.run_sync(to_the_first_step)
    await asyncio.gather(*(each.prepare() for each in opened))
    async with opened[0].write() as connection:
        assert await connection.run_sync(differences) == []
        versions = await connection.exec_driver_sql("SELECT version FROM schema_version")
        assert versions.fetchall() == [(SCHEMA_VERSION,)]
        await connection.exec_driver_sql("UPDATE schema_version SET version = version + 1")
    with pytest.raises(StoreUnavailable, match=f"schema version {SCHEMA_VERSION + 1}"):
        await opened[0].prepare()
    await opened[0].close()
