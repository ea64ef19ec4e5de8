import json
import random
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
import structlog

from app.store.calls import CallStore
from app.store.database import Database
from app.store.spending import SpendStore
from app.usage.spool import Spool
from app.usage.writer import LedgerWriter

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
KILLS = 10
PROVING_KILLS = 100


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


async def killed_again_and_again(folder, kills):
    """Kill as many runs, each of which finds what the one before has left; give what is true in the end."""
    chance = random.Random(9)
    said = []
    for kill in range(kills):
        said += acknowledged_until_killed(folder, f"run{kill:03}", chance.randint(1, 3000))
    begun = {line.removeprefix("begun ") for line in said if line.startswith("begun ")}
    ended = {line.removeprefix("ended ") for line in said if line.startswith("ended ")}
    database = await Database.open(f"sqlite:///{folder}/a.db")
    store, log = CallStore(database), structlog.get_logger()
    writer = LedgerWriter(store, Spool(folder / "spool", "run-last", log), log)
    await writer.close(30)
    async with database.read() as connection:
        rows = (await connection.exec_driver_sql("SELECT id, outcome FROM calls")).fetchall()
        assert (await connection.exec_driver_sql("SELECT count(*) FROM open_calls")).scalar() == 0
        tries = (await connection.exec_driver_sql("SELECT count(*) FROM attempts")).scalar()
    (spent,) = await SpendStore(database).spend(["key:ci"], 0)
    sums = {line.group["outcome"]: line.calls for line in await store.sum_calls(["outcome"])}
    await database.close()
    assert list((folder / "spool").iterdir()) == []
    assert writer.repeated == 0

    outcomes = dict(rows)
    assert len(rows) == len(outcomes)
    successes = {id for id, outcome in rows if outcome == "success"}
    assert ended <= successes
    assert begun <= set(outcomes)
    # A kill falls between a write and its acknowledgement at most once a run.
    assert len(successes - ended) + len(set(outcomes) - begun) <= kills
    assert set(outcomes.values()) == {"success", "interrupted"}
    assert sums == Counter(outcomes.values())
    assert (spent.nano, tries) == (len(rows), len(successes))
    return len(ended), len(rows) - len(successes)


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_after_kill_nine_every_call_that_ended_is_one_row_and_every_other_one_says_so(tmp_path):
    await killed_again_and_again(tmp_path, KILLS)


@pytest.mark.proofs
@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_case_116_a_hundred_kills_lose_no_call_and_double_none(tmp_path, capsys):
    ended, interrupted = await killed_again_and_again(tmp_path, PROVING_KILLS)
    with capsys.disabled():
        print(
            f"\nF13: {PROVING_KILLS} kills -9: 0 of {ended} ended calls lost, 0 doubled, {interrupted} interrupted"
        )


@pytest.mark.slow
async def test_after_one_kill_nothing_is_lost(tmp_path):
    await killed_again_and_again(tmp_path, 2)


@pytest.mark.slow
def test_case_112_a_full_disk_loses_nothing_that_memory_can_hold(tmp_path):
    with start("full_disk_run.py", tmp_path) as process:
        said = json.loads(process.communicate(timeout=50)[0])
    assert said["held"] > 0
    assert said["files_during"] == 1
    assert len(said["rows"]) == len(set(said["rows"])) == 400
    assert (said["lost"], said["repeated"], said["rejected"], said["files_after"]) == (0, 0, 0, [])
    for event in ("spool_unwritable", "spool_writable", "ledger_store_down", "ledger_store_up"):
        assert said["events"].count(event) == 1
