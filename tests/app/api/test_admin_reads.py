"""What the admin API shows: usage, budgets, what is configured, and who changed what; each within bounds."""

from __future__ import annotations

import time

import pytest

from app.store.calls import CallStore
from app.store.schema import calls
from tests.app.api.office import open_office


@pytest.fixture
async def office(database):
    async with open_office(database) as office:
        yield office


async def test_usage_is_summed_as_the_command_does(office, database, make_record):
    rows = [make_record("a"), make_record("b", cost=None, cost_nano=None), make_record("c", key="other")]
    await CallStore(database).insert_calls(rows, "test.spool", 1)
    time = "since=2026-11-20T00:00:00Z&until=2026-11-21"
    answer = (await office.ask("viewer", "GET", f"/usage?by=key,day&{time}")).json()
    assert [(each["group"], each["calls"], each["cost"]) for each in answer["data"]] == [
        ({"key": "ci", "day": "2026-11-20"}, 2, None),
        ({"key": "other", "day": "2026-11-20"}, 1, "0.00123"),
    ]
    assert answer["data"][0]["known_cost"] == "0.00123"
    assert answer["data"][0]["latency_ms"]["p50"] == pytest.approx(200, rel=0.1)
    one = (await office.ask("viewer", "GET", f"/usage?by=team&key=other&{time}")).json()
    assert [each["calls"] for each in one["data"]] == [1]


async def test_case_52_usage_is_asked_for_within_bounds(office):
    for query, word in (
        ("by=password", "summed by"),
        ("by=", "summed by"),
        ("by=tag:a%22b", "name of a tag"),
        ("by=key,model,day,hour,plan", "4 names"),
        ("since=1926-01-01", "since"),
        ("since=1990-01-01", "366 days"),
        ("by=user&since=2026-01-01&until=2026-03-01", "31 days"),
        ("since=2026-02-01&until=2026-01-01", "before"),
        ("until=9999-12-31T23:59:59-23:59", "before"),
        ("until=0001-01-01T00:00:00%2B23:00", "before"),
        ("since=soon", "RFC 3339"),
        ("key=a%00b", "key"),
        ("key=" + "%25" * 1000, "key"),
    ):
        answer = await office.ask("viewer", "GET", f"/usage?{query}")
        assert (answer.status_code, word in answer.json()["error"]["message"]) == (400, True), answer.text


MANY = 400_000


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_case_52_reports_over_many_rows_end_in_time_or_say_that_they_do_not(
    office, database, make_record
):
    await CallStore(database).insert_calls([make_record("pattern")], "test.spool", 1)
    numbers = f"WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {MANY}) "
    changed = {"id": "'many-' || x", "request_id": "'many-' || x", "user": "'user-' || (x % 90001)"}
    names = [column.name for column in calls.columns]
    columns = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(changed.get(name, f'calls."{name}"') for name in names)
    for first in range(0, MANY, 100_000):
        batch = f"x > {first} AND x <= {first + 100_000} AND id = 'pattern'"
        async with database.write() as connection:
            await connection.exec_driver_sql(
                f"INSERT INTO calls ({columns}) {numbers} SELECT {values} FROM n, calls WHERE {batch}"
            )
    for query in ("by=user", "by=user,tag:project", "by=tag:project,key", "by=key,day", "by=upstream_model"):
        began = time.monotonic()
        answer = await office.ask("viewer", "GET", f"/usage?{query}&since=2026-11-01&until=2026-11-30")
        assert time.monotonic() - began < 5, query
        code = None if answer.status_code == 200 else answer.json()["error"]["code"]
        too_many = code == "invalid_request" and "1000 groups" in answer.text
        assert too_many or code in {None, "query_too_expensive"}, answer.text
        assert (await office.ask("viewer", "GET", "/budgets")).status_code == 200


async def test_budgets_stand_as_calls_have_left_them(office):
    made = await office.make("admin", "app", budget={"amount": "2.50", "per": "day"})
    assert made["budget"]
    (shown,) = (await office.ask("viewer", "GET", "/budgets?subject=key:app")).json()["data"]
    assert (shown["amount"], shown["spent"], shown["left"], shown["per"]) == ("2.5", "0", "2.5", "day")
    assert shown["ends"] - shown["starts"] == 86_400
    subjects = []
    after = ""
    while after is not None:
        page = (await office.ask("viewer", "GET", "/budgets?limit=1&after=" + after)).json()
        subjects += [each["subject"] for each in page["data"]]
        after = page["next"]
    assert subjects == ["key:app", "key:bound"]


async def test_what_is_configured_is_shown_in_pages(office):
    teams = (await office.ask("viewer", "GET", "/teams")).json()["data"]
    assert [(each["name"], each["organisation"], each["models"]) for each in teams] == [
        ("blue", None, []),
        ("red", "acme", ["openai/*", "fast"]),
    ]
    users = (await office.ask("viewer", "GET", "/users?limit=2")).json()
    more = (await office.ask("viewer", "GET", f"/users?limit=2&after={users['next']}")).json()
    shown = [(each["name"], each["team"], each["disabled"]) for each in users["data"] + more["data"]]
    assert (shown, more["next"]) == (
        [("ann", "red", False), ("bob", "blue", False), ("off", None, True)],
        None,
    )
    plans = (await office.ask("viewer", "GET", "/plans")).json()["data"]
    assert {each["name"]: each["limits"] for each in plans} == {
        "small": {"tpm": 1000},
        "large": {"tpm": 9000},
    }
    for path in ("/models", "/organisations"):
        assert (await office.ask("viewer", "GET", path)).status_code == 200


async def test_the_audit_log_is_read_in_pages_and_by_target(office):
    for number in range(3):
        await office.make("admin", f"key-{number}")
    first = (await office.ask("viewer", "GET", "/audit?limit=2")).json()
    rest = (await office.ask("viewer", "GET", f"/audit?limit=2&before={first['next']}")).json()
    assert [each["target"] for each in first["data"] + rest["data"]] == [
        "key:key-2",
        "key:key-1",
        "key:key-0",
    ]
    assert rest["next"] is None
    (only,) = (await office.ask("viewer", "GET", "/audit?target=key:key-1")).json()["data"]
    assert (only["actor"], only["action"], only["after"]["name"]) == ("key:admin", "key.create", "key-1")
