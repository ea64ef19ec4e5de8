"""A run that begins and settles calls for ever, and says which on standard output, until it is killed."""

import asyncio
import importlib.util
import random
import sys
from pathlib import Path

import structlog

from app.store.calls import CallStore
from app.store.database import Database
from app.telemetry.record import Charge
from app.usage.ledger import Ledger
from app.usage.spool import Spool
from app.usage.writer import LedgerWriter

CHARGE = [Charge(subject="key:ci", period="day", period_start=0, nano=1)]


def makers():
    spec = importlib.util.spec_from_file_location("records", Path(__file__).parents[1] / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module._make, module._intend


def say(word, call):
    sys.stdout.write(f"{word} {call}\n")
    sys.stdout.flush()


async def main(folder, run):
    (make, intend), log, chance = makers(), structlog.get_logger(), random.Random(run)
    database = await Database.open(f"sqlite:///{folder}/a.db")
    spool = Spool(folder / "spool", run, log, segment_limit=100_000)
    writer = LedgerWriter(CallStore(database), spool, log, sleep=lambda s: asyncio.sleep(s / 20))
    ledger = Ledger(spool, writer.wake)
    writer.start()
    running, number = [], 0
    while True:
        number += 1
        call = f"{run}-{number}"
        ledger.begin(intend(call, charges=CHARGE))
        say("begun", call)
        running.append(call)
        while running and chance.random() < len(running) / 40:
            ended = running.pop(chance.randrange(len(running)))
            ledger.settle(make(ended, charges=CHARGE))
            say("ended", ended)
        await asyncio.sleep(0)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
