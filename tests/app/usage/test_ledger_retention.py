import asyncio
import sqlite3

import structlog

from app.store.audit import AuditStore, By, Change, write_change
from app.store.calls import CallStore
from app.store.database import Database
from app.store.retention import OldChanges, OldRows
from app.store.sqlite import Sqlite
from app.usage.ledger_retention import EVERY, PAUSE, ROWS_AT_ONCE, Kept, let_go_of_old_rows

DAY = 86_400
TEN = 1795168800
"""2026-11-20T10:00:00Z"""


class Days:
    """A clock that a test turns, and a sleep that tells what it was asked for."""

    def __init__(self, *turns):
        self.now = TEN
        self.slept = []
        self.turns = list(turns)

    def wall(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(seconds)
        if seconds == EVERY:
            if not self.turns:
                raise asyncio.CancelledError
            self.now += self.turns.pop(0)


async def run(database, days, log=None, keep_changes=None):
    try:
        kinds = (Kept(OldRows(database), lambda: 30 * DAY), Kept(OldChanges(database), lambda: keep_changes))
        await let_go_of_old_rows(kinds, days.wall, log or structlog.get_logger(), sleep=days.sleep)
    except asyncio.CancelledError:
        return


async def test_rows_go_after_their_days_a_batch_at_a_time(database, make_record):
    store = CallStore(database)
    for begin in range(0, ROWS_AT_ONCE + 50, 50):
        await store.insert_calls([make_record(f"c{i}") for i in range(begin, begin + 50)], "run", begin)
    days = Days(29 * DAY, 2 * DAY)
    await run(database, days)
    assert days.slept == [EVERY, EVERY, PAUSE, EVERY]
    assert await store.list_calls(1) == []
    assert [line.calls for line in await store.sum_calls(["key"])] == [ROWS_AT_ONCE + 50]


async def test_a_store_that_is_locked_keeps_its_rows_and_is_asked_again(tmp_path, make_record):
    database = Database(Sqlite(tmp_path / "a.db", busy_timeout=0.01))
    store = CallStore(database)
    await store.insert_calls([make_record("a")], "run", 1)
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with structlog.testing.capture_logs() as events:
        await run(database, Days(31 * DAY), structlog.get_logger())
    assert [event["event"] for event in events] == ["old_rows_kept"] * 2
    assert len(await store.list_calls(10)) == 1
    other.execute("ROLLBACK")
    other.close()
    await run(database, Days(31 * DAY))
    assert await store.list_calls(10) == []
    await database.close()


async def test_changes_go_after_their_own_time_a_batch_at_a_time(database):
    audit = AuditStore(database)

    async def write(many: int, at: float) -> None:
        async with database.write() as connection:
            for _ in range(many):
                await write_change(connection, Change("reload", "configuration"), By("cli:root"), at)

    await write(ROWS_AT_ONCE + 50, TEN)
    await write(1, TEN + DAY)
    for keep, left in ((None, ROWS_AT_ONCE + 51), (10 * DAY, 1)):
        days = Days(9 * DAY, 1 * DAY + 1)
        await run(database, days, keep_changes=keep)
        assert len(await audit.read(ROWS_AT_ONCE + 100)) == left, keep
    assert days.slept == [EVERY, EVERY, PAUSE, EVERY]
