import asyncio
import math
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from app.store.calls import CallFilter, CallStore
from app.store.database import Database
from app.store.money import dollars
from app.store.retention import OldRows
from app.store.schema import calls, rollups

NINE = 1795165200
"""2026-11-20T09:00:00Z"""
HOUR = 3600


@pytest.fixture
def store(database):
    return CallStore(database)


def at(seconds):
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"2026-11-20T{9 + hour:02}:{minute:02}:{second:02}Z"


async def without_rows(database):
    async with database.write() as connection:
        await connection.execute(delete(calls))


async def without_rollups(database):
    async with database.write() as connection:
        await connection.execute(delete(rollups))


CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "after": st.integers(0, 4 * HOUR),
            "key": st.sampled_from(["a", "b", None]),
            "plan": st.sampled_from(["small", None]),
            "provider": st.sampled_from(["acme", None]),
            "outcome": st.sampled_from(["success", "success", "upstream_error", "client_cancelled"]),
            "attempts": st.integers(0, 2),
            "input_tokens": st.none() | st.integers(0, 10**6),
            "cost_nano": st.none() | st.integers(0, 10**12),
            "duration_ms": st.floats(0.01, 1e6),
        }
    ),
    max_size=30,
)
ENDS = st.none() | st.integers(NINE - 100, NINE + 4 * HOUR)


def expected(given_calls, by, since, until):
    sums = defaultdict(list)
    for call in given_calls:
        time = NINE + call["after"]
        if (since is None or time >= since) and (until is None or time < until):
            day = {"day": "2026-11-20", "hour": at(call["after"])[:13]}
            sums[tuple((call | day)[name] for name in by)].append(call)
    return {
        group: (
            len(found),
            sum(c["outcome"] == "upstream_error" for c in found),
            sum(c["input_tokens"] or 0 for c in found),
            dollars(sum(c["cost_nano"] or 0 for c in found)),
            sum(c["cost_nano"] is None and c["attempts"] > 0 for c in found),
            nearest_rank([c["duration_ms"] for c in found if c["outcome"] == "success"]),
        )
        for group, found in sums.items()
    }


def nearest_rank(times):
    return sorted(times)[math.ceil(len(times) * 0.95) - 1] if times else None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    made=CALLS,
    by=st.sampled_from([["key"], ["plan", "hour"], ["provider", "outcome"], ["day"]]),
    since=ENDS,
    until=ENDS,
)
def test_sums_are_exact_wherever_the_period_begins_and_ends(made, by, since, until, make_record):
    async def summed(folder):
        database = await Database.open(f"sqlite:///{folder}/a.db")
        records = [
            make_record(f"c{i}", timestamp=at(call["after"]), cost=None, tries=[], **without_time(call))
            for i, call in enumerate(made)
        ]
        for i in range(0, len(records), 7):
            await CallStore(database).insert_calls(records[i : i + 7], "run", i)
        found = await CallStore(database).sum_calls(by, CallFilter(since=since, until=until))
        await database.close()
        return found

    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(summed(Path(folder)))
    wanted = expected(made, by, since, until)
    assert len(found) == len(wanted)
    for line in found:
        *amounts, p95 = wanted[tuple(line.group.values())]
        assert (line.calls, line.errors, line.input_tokens, line.known_cost, line.unpriced) == tuple(amounts)
        assert (line.latency is None) == (p95 is None)
        assert p95 is None or line.latency.p95 == pytest.approx(p95, rel=0.05)


def without_time(call):
    return {name: value for name, value in call.items() if name != "after"}


async def test_whole_hours_are_told_from_roll_ups_and_their_ends_from_rows(database, store, make_record):
    records = [make_record(f"c{i}", timestamp=at(i * 1800)) for i in range(6)]
    await store.insert_calls(records, "run", 1)
    whole = CallFilter(since=NINE, until=NINE + 3 * HOUR)
    ends = CallFilter(since=NINE + 1800, until=NINE + 2 * HOUR + 1)
    assert [line.calls for line in await store.sum_calls(["key"], whole)] == [6]
    assert [line.calls for line in await store.sum_calls(["key"], ends)] == [4]
    await without_rollups(database)
    assert await store.sum_calls(["key"], whole) == []
    assert [line.calls for line in await store.sum_calls(["key"], ends)] == [2]


async def test_a_call_that_comes_again_adds_nothing(store, make_record):
    for offset in (1, 2, 3):
        await store.insert_calls([make_record("a"), make_record("a", key="other")], "run", offset)
    (line,) = await store.sum_calls(["key"])
    assert (line.group, line.calls, line.input_tokens) == ({"key": "ci"}, 1, 10)


async def test_tags_are_dimensions_and_filters(store, make_record):
    await store.insert_calls(
        [
            make_record("a", tags={"project": "x", "env": "it's"}),
            make_record("b", tags={"project": "x"}),
            make_record("c", tags={}),
        ],
        "run",
        1,
    )
    sums = await store.sum_calls(["tag:project"])
    assert [(dict(line.group), line.calls) for line in sums] == [
        ({"tag:project": None}, 1),
        ({"tag:project": "x"}, 2),
    ]
    (line,) = await store.sum_calls(["key"], CallFilter(tags={"project": "x", "env": "it's"}))
    assert (line.calls, line.latency.p50) == (1, pytest.approx(200, rel=0.05))


async def test_time_to_first_byte_is_apart_from_latency_and_of_successes_alone(store, make_record):
    await store.insert_calls(
        [
            make_record("a", ttft_ms=50.0, duration_ms=1000.0),
            make_record("b", ttft_ms=None, duration_ms=3000.0),
            make_record("c", ttft_ms=1.0, duration_ms=2.0, outcome="upstream_error"),
        ],
        "run",
        1,
    )
    (line,) = await store.sum_calls(["model"])
    assert line.ttft.p99 == pytest.approx(50, rel=0.05)
    assert line.latency.p50 == pytest.approx(1000, rel=0.05)
    assert line.latency.p99 == pytest.approx(3000, rel=0.05)


async def test_names_that_clients_make_up_do_not_fill_the_roll_ups(database, store, make_record):
    unknown = {"outcome": "refused", "error_type": "model_not_found", "attempts": 0, "tries": []}
    records = [make_record(f"c{i}", model=f"guess-{i}", **unknown) for i in range(50)]
    await store.insert_calls(records, "run", 1)
    async with database.read() as connection:
        assert (await connection.exec_driver_sql("SELECT count(*) FROM rollups")).scalar() == 1
    assert [line.calls for line in await store.sum_calls(["model"])] == [50]


async def test_old_rows_go_in_small_batches_and_their_sums_stay(database, store, make_record):
    records = [make_record(f"c{i}", timestamp=at(i * 600)) for i in range(24)]
    await store.insert_calls(records, "run", 1)
    before = {by: await store.sum_calls([by]) for by in ("key", "hour", "model")}
    rows = OldRows(database)
    # Half past eleven: the hour that it is in stays whole.
    assert [await rows.delete(NINE + 2.5 * HOUR, 5) for _ in range(4)] == [5, 5, 2, 0]
    left = {call.id for call in await store.list_calls(100)}
    assert left == {f"c{i}" for i in range(12, 24)}
    assert {by: await store.sum_calls([by]) for by in before} == before
    async with database.read() as connection:
        assert (await connection.exec_driver_sql("SELECT count(*) FROM attempts")).scalar() == 12


async def test_periods_that_meet_where_rows_are_gone_count_each_call_once(database, store, make_record):
    records = [make_record(f"c{i}", timestamp=at(i * 600)) for i in range(24)]
    await store.insert_calls(records, "run", 1)
    await OldRows(database).delete(NINE + 2 * HOUR, 100)
    for half in (NINE + 1800, NINE + HOUR + 600, NINE + 2 * HOUR + 1800):
        parts = [CallFilter(until=half), CallFilter(since=half)]
        found = [line.calls for part in parts for line in await store.sum_calls(["key"], part)]
        assert sum(found) == 24
