import asyncio
import sqlite3
import stat

import pytest

from app.store.calls import CallStore
from app.store.database import Database, StoreUnavailable, TookTooLong
from app.store.schema import SCHEMA_VERSION
from app.store.sqlite import Sqlite


async def test_the_file_and_its_folder_are_the_owners_alone(tmp_path):
    database = await Database.open(f"sqlite:///{tmp_path}/data/switchgear.db")
    await CallStore(database).insert_calls([], "run", 1)
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
    await database.close()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert "switchgear.db-wal" in found
    assert set(found.values()) == {0o600}


@pytest.mark.parametrize("url", ["postgresql://u:hunter2@/x", "mysql+x://u:hunter2@h/d", "hunter2", ""])
async def test_what_names_no_database_is_refused_without_telling_its_password(url):
    with pytest.raises(ValueError, match="`storage`") as raised:
        await Database.open(url)
    assert "hunter2" not in str(raised.value)


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "a.db"
    await (await Database.open(f"sqlite:///{path}")).close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE schema_version SET version = version + 1")
    raw.close()
    with pytest.raises(StoreUnavailable, match=f"schema version {SCHEMA_VERSION + 1}"):
        await Database.open(f"sqlite:///{path}")


async def test_case_52_a_report_that_takes_too_long_is_ended_and_the_next_one_is_not(tmp_path):
    database = Database(Sqlite(tmp_path / "a.db", read_timeout=0.05))
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    async with asyncio.timeout(10):
        with pytest.raises(TookTooLong, match=r"more than 0\.05 s"):
            async with database.snapshot() as connection:
                await connection.exec_driver_sql(endless)
    assert await CallStore(database).list_calls(1) == []
    await database.close()


async def test_opening_twice_keeps_one_version_row(tmp_path):
    for _ in range(2):
        await (await Database.open(f"sqlite:///{tmp_path}/a.db")).close()
    raw = sqlite3.connect(tmp_path / "a.db")
    assert raw.execute("SELECT version FROM schema_version").fetchall() == [(SCHEMA_VERSION,)]
    assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    raw.close()


async def test_a_lock_makes_it_unavailable_and_its_end_available(tmp_path):
    database = Database(Sqlite(tmp_path / "a.db", busy_timeout=0.05))
    raw = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    raw.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        await CallStore(database).insert_calls([], "run", 1)
    raw.execute("ROLLBACK")
    await CallStore(database).insert_calls([], "run", 1)
    assert await CallStore(database).spool_offset("run") == 1
    raw.close()
    await database.close()


async def test_a_file_that_is_no_database_is_unavailable_until_it_is_put_right(tmp_path):
    path = tmp_path / "a.db"
    path.write_bytes(b"this is no database" * 100)
    database = Database(Sqlite(path))
    with pytest.raises(StoreUnavailable, match="not a database"):
        await CallStore(database).insert_calls([], "run", 1)
    path.unlink()
    await CallStore(database).insert_calls([], "run", 2)
    assert await CallStore(database).spool_offset("run") == 2
    await database.close()


async def test_a_folder_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match=r"file/a\.db"):
        await Database.open(f"sqlite:///{tmp_path}/file/a.db")
