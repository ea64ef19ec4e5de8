import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

import app.store.preparing
from app.store.calls import CallStore
from app.store.database import Database, StoreUnavailable
from app.store.keys import KeyStore
from app.store.schema import SCHEMA_VERSION, metadata
from app.store.sqlite import Sqlite

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
FIRST_RELEASE = ROOT / "tests/golden/store/release_0_1_0.sql"
"""What release 0.1.0 wrote: a call, one that fell back, one that was refused, and a key."""


def first_release(path):
    raw = sqlite3.connect(path)
    raw.executescript(FIRST_RELEASE.read_text())
    raw.execute("PRAGMA journal_mode=WAL")
    raw.close()
    return path


@pytest.fixture
async def migrated(tmp_path):
    database = await Database.open(f"sqlite:///{first_release(tmp_path / 'old.db')}")
    yield database
    await database.close()


def form(path):
    """Everything of a database's tables that SQLAlchemy can tell."""
    engine = create_engine(f"sqlite:///{path}")
    found = inspect(engine)
    tables = {
        table: {
            "columns": [
                {key: str(value) for key, value in each.items()} for each in found.get_columns(table)
            ],
            "key": found.get_pk_constraint(table)["constrained_columns"],
            "foreign": found.get_foreign_keys(table),
            "unique": found.get_unique_constraints(table),
            "checks": sorted(map(str, found.get_check_constraints(table))),
            "indexes": sorted(
                str(each | {"dialect_options": options(each)}) for each in found.get_indexes(table)
            ),
        }
        for table in sorted(found.get_table_names())
    }
    engine.dispose()
    return tables


def options(index):
    return {key: str(value) for key, value in index["dialect_options"].items()}


async def test_a_migrated_database_has_the_tables_of_a_new_one(migrated, tmp_path):
    await (await Database.open(f"sqlite:///{tmp_path}/new.db")).close()
    assert form(tmp_path / "old.db") == form(tmp_path / "new.db")
    for name in ("old.db", "new.db"):
        engine = create_engine(f"sqlite:///{tmp_path}/{name}")
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        engine.dispose()


async def test_the_calls_of_the_first_release_are_all_there(migrated):
    c, b, a = await CallStore(migrated).list_calls(10)
    assert (a.cost, a.cost_nano, a.tags, a.charges) == ("0.00123", 1_230_000, {"project": "a"}, [])
    assert [(t.provider, t.status, t.duration_ms, t.input_tokens) for t in a.tries] == [
        ("acme", 200, 190.0, 10)
    ]
    assert [(t.model, t.outcome, t.input_tokens) for t in b.tries] == [
        ("large", "upstream_timeout", None),
        ("vendor/large", "success", None),
    ]
    assert (b.cost, c.tries, c.outcome) == (None, [], "refused")
    assert [key.name for key in await KeyStore(migrated).list_keys()] == ["ci"]
    assert await CallStore(migrated).spool_offset("1-2-x-000000.spool") == 777


async def test_the_calls_of_the_first_release_are_rolled_up_as_if_they_came_now(migrated, tmp_path):
    calls = await CallStore(migrated).list_calls(10)
    fresh = await Database.open(f"sqlite:///{tmp_path}/new.db")
    await CallStore(fresh).insert_calls(calls, "run", 1)
    for by in (["key", "model"], ["hour", "outcome"], ["provider"], ["tag:project"]):
        assert await CallStore(migrated).sum_calls(by) == await CallStore(fresh).sum_calls(by)
    assert await CallStore(migrated).compare("fast") == await CallStore(fresh).compare("fast")
    await fresh.close()


async def test_a_step_that_fails_leaves_the_database_as_it_was(tmp_path, monkeypatch):
    path = first_release(tmp_path / "old.db")
    raw = sqlite3.connect(path)
    raw.execute("UPDATE calls SET tries = 'no JSON' WHERE id = 'b'")
    raw.commit()
    before = list(raw.iterdump())
    with pytest.raises(StoreUnavailable, match="JSON"):
        await Database.open(f"sqlite:///{path}")
    assert list(raw.iterdump()) == before
    raw.close()


async def test_two_that_open_it_at_once_migrate_it_once(tmp_path):
    path = first_release(tmp_path / "old.db")
    opened = await asyncio.gather(*(Database.open(f"sqlite:///{path}") for _ in range(4)))
    assert [len(await CallStore(each).list_calls(10)) for each in opened] == [3] * 4
    for each in opened:
        await each.close()


async def test_a_locked_database_is_migrated_when_it_is_free(tmp_path):
    path = first_release(tmp_path / "old.db")
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("BEGIN IMMEDIATE")
    database = Database(Sqlite(path, busy_timeout=0.05))
    with pytest.raises(StoreUnavailable, match="locked"):
        await CallStore(database).list_calls(1)
    raw.execute("ROLLBACK")
    raw.close()
    assert len(await CallStore(database).list_calls(10)) == 3
    await database.close()


def test_the_last_step_is_the_version_of_the_tables():
    steps = ScriptDirectory(str(Path(app.store.preparing.__file__).parent / "migrations"))
    assert steps.get_heads() == [str(SCHEMA_VERSION)]
    assert [step.revision for step in steps.walk_revisions()] == ["5", "4", "3", "2", "1"]


async def test_the_first_step_makes_what_the_first_release_made(tmp_path):
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(app.store.preparing.__file__).parent / "migrations"))
    engine = create_engine(f"sqlite:///{tmp_path}/steps.db")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "1")
        connection.exec_driver_sql("DROP TABLE alembic_version")
    engine.dispose()
    assert form(tmp_path / "steps.db") == form(first_release(tmp_path / "old.db"))


@pytest.mark.slow
@pytest.mark.parametrize(("make", "needed"), [(lambda path: path, "False"), (first_release, "True")])
def test_alembic_is_loaded_only_where_there_is_something_to_migrate(tmp_path, make, needed):
    path = make(tmp_path / "a.db")
    for expected in (needed, "False"):
        said = subprocess.run(
            [sys.executable, str(HERE / "migrating_run.py"), str(path)],
            check=False,
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert said.stdout.strip() == f"{expected} False", said.stderr
