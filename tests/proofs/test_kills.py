"""F13: whoever has read the end of an answer finds its row, once, whenever the process was killed."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from tests.harness.rig import config_for, start_gateway
from tests.harness.secrets import Secrets
from tests.proofs.conftest import Note
from tests.proofs.kills import Toll, kill_again_and_again


def assert_exact(toll: Toll) -> None:
    assert toll.lost == set()
    assert toll.doubled == set()
    assert toll.charged == toll.spent
    assert toll.outcomes["interrupted"] > 0, "no kill met a call under way, so nothing was shown"


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_ten_kills(tmp_path: Path, secrets: Secrets) -> None:
    toll = kill_again_and_again(tmp_path / "run", secrets, 10)
    assert len(toll.completed) > 100
    assert_exact(toll)


@pytest.mark.proofs
@pytest.mark.timeout(500)
def test_f13_a_hundred_kills(tmp_path: Path, secrets: Secrets, note: Note) -> None:
    toll = kill_again_and_again(tmp_path / "run", secrets, 100)
    what = f"rows of {len(toll.completed):,} answers that were read to their end, {toll.kills} times kill -9 under load"
    note("F13", what, "0 lost, 0 double", f"{len(toll.lost)} lost, {len(toll.doubled)} double")
    cut = toll.outcomes["interrupted"]
    note("F13", "calls that a kill cut short", "a row each", f"{cut:,} rows `interrupted`")
    equal = "equal" if toll.charged == toll.spent else f"{toll.charged} and {toll.spent} nano-dollars"
    note("F13", "what rows charge, and what budgets are read from", "equal", equal)
    note(
        "F14",
        "rows lost with the power",
        "≤ 1 s",
        "not shown: kill -9 leaves the page cache. The spool is synced once a second, the database commits "
        "with synchronous=FULL",
    )
    assert_exact(toll)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_kill_after_the_store_was_locked(tmp_path: Path, secrets: Secrets) -> None:
    """And another process has looked into the database meanwhile, as `switchgear usage` does."""
    with start_gateway(tmp_path / "run", secrets, config_for({"echo": {}}, {})) as gateway:
        ids = [gateway.chat("echo/any").request_id for _ in range(20)]
        gateway.eventually(lambda: len(gateway.rows()) == len(ids), "the first rows")
        lock = sqlite3.connect(gateway.database, timeout=5, isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        ids += [gateway.chat("echo/any").request_id for _ in range(20)]
        gateway.eventually(lambda: "ledger_store_down" in gateway.output, "the outage to be told of", 20.0)
        # It tries again and again, each time from the beginning: long enough for several tries.
        until = time.monotonic() + 10
        while time.monotonic() < until:
            ids.append(gateway.chat("echo/any").request_id)
            time.sleep(0.1)
        lock.execute("ROLLBACK")
        lock.close()
        gateway.eventually(lambda: "ledger_store_up" in gateway.output, "the end of it to be told of", 20.0)
        assert len(gateway.rows()) == len(ids)
        ids += [gateway.chat("echo/any").request_id for _ in range(20)]
        gateway.eventually(lambda: len(gateway.rows()) == len(ids), "the rows of all calls")
        gateway.kill()
        gateway.start()
        assert sorted(row["request_id"] for row in gateway.rows()) == sorted(ids)
