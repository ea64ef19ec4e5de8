"""A run that settles calls for ever and says which on standard output, until it is killed."""

import asyncio
import importlib.util
import sys
from pathlib import Path

import structlog

from app.store.calls import CallStore
from app.store.database import Database
from app.usage.ledger import Ledger
from app.usage.spool import Spool
from app.usage.writer import LedgerWriter


def records():
    spec = importlib.util.spec_from_file_location("records", Path(__file__).with_name("conftest.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module._make


async def main(folder, run):
    make, log = records(), structlog.get_logger()
    database = await Database.open(f"sqlite:///{folder}/a.db")
    spool = Spool(folder / "spool", run, log, segment_limit=50_000)
    writer = LedgerWriter(CallStore(database), spool, log, sleep=lambda s: asyncio.sleep(s / 20))
    ledger = Ledger(spool, writer.wake)
    writer.start()
    number = 0
    while True:
        number += 1
        ledger.settle(make(f"{run}-{number}"))
        sys.stdout.write(f"{run}-{number}\n")
        sys.stdout.flush()
        await asyncio.sleep(0)


asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
