"""A run on a disk that is full for a while: `RLIMIT_FSIZE` bounds spool and database alike."""

import asyncio
import importlib.util
import json
import resource
import signal
import sys
from pathlib import Path

import structlog

from app.store.calls import CallStore
from app.store.database import Database
from app.store.sqlite import Sqlite
from app.usage.ledger import Ledger
from app.usage.spool import Spool
from app.usage.writer import LedgerWriter

CALLS = 400


def make_record(id):
    spec = importlib.util.spec_from_file_location("records", Path(__file__).parents[1] / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module._make(id)


async def until(condition):
    while not condition():
        await asyncio.sleep(0.01)


async def main(folder):
    with structlog.testing.capture_logs() as events:
        log = structlog.get_logger()
        database = Database(Sqlite(folder / "a.db", busy_timeout=0.1))
        spool = Spool(folder / "spool", "run", log)
        writer = LedgerWriter(CallStore(database), spool, log, sleep=lambda s: asyncio.sleep(s / 20))
        ledger = Ledger(spool, writer.wake)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_001, resource.RLIM_INFINITY))
        writer.start()
        for i in range(CALLS):
            ledger.settle(make_record(f"c{i}"))
        await until(lambda: writer.store_is_down)
        held, during = spool.pending, len(list(spool.folder.iterdir()))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await until(lambda: writer.shipped == CALLS)
        await writer.close(10)
        rows = await CallStore(database).list_calls(1000)
        await database.close()
    result = {
        "held": held,
        "files_during": during,
        "files_after": [path.name for path in spool.folder.iterdir()],
        "rows": sorted(row.id for row in rows),
        "lost": spool.lost,
        "repeated": writer.repeated,
        "rejected": writer.rejected,
        "events": [event["event"] for event in events],
    }
    print(json.dumps(result))


signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
asyncio.run(main(Path(sys.argv[1])))
