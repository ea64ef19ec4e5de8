import json
import random
import subprocess
import sys
import threading
from pathlib import Path

import structlog

from app.store.calls import CallStore
from app.store.database import Database
from app.usage.spool import Spool
from app.usage.writer import LedgerWriter

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
KILLS = 10


def start(script, *arguments):
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )


def acknowledged_until_killed(folder, run, lines):
    """Kill -9 after so many lines, at whatever the run is doing then; give all that it has said."""
    with start("acknowledging_run.py", folder, run) as process:
        said = [process.stdout.readline().strip() for _ in range(lines)]
        killer = threading.Timer(0, process.kill)
        killer.start()
        said += [line.strip() for line in process.stdout if line.endswith("\n")]
        killer.join()
    assert all(said)
    return said


async def test_after_kill_nine_every_acknowledged_call_is_one_row(tmp_path):
    chance = random.Random(9)
    said = []
    for kill in range(KILLS):
        said += acknowledged_until_killed(tmp_path, f"run{kill}", chance.randint(1, 2000))
    database = await Database.open(f"sqlite:///{tmp_path}/a.db")
    store, log = CallStore(database), structlog.get_logger()
    writer = LedgerWriter(store, Spool(tmp_path / "spool", "run-last", log), log)
    await writer.close(30)
    async with database.read() as connection:
        rows = [row[0] for row in await connection.exec_driver_sql("SELECT id FROM calls")]
    assert len(rows) == len(set(rows))
    assert set(said) <= set(rows)
    # A kill falls between a record and its acknowledgement at most once a run.
    assert len(set(rows) - set(said)) <= KILLS
    assert list((tmp_path / "spool").iterdir()) == []
    assert writer.repeated == 0
    await database.close()


def test_a_full_disk_loses_nothing_that_memory_can_hold(tmp_path):
    with start("full_disk_run.py", tmp_path) as process:
        said = json.loads(process.communicate(timeout=50)[0])
    assert said["held"] > 0
    assert said["files_during"] == 1
    assert len(said["rows"]) == len(set(said["rows"])) == 400
    assert (said["lost"], said["repeated"], said["rejected"], said["files_after"]) == (0, 0, 0, [])
    for event in ("spool_unwritable", "spool_writable", "ledger_store_down", "ledger_store_up"):
        assert said["events"].count(event) == 1
