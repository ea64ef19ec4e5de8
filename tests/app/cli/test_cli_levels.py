"""`organisations|teams|users|plans` and `budgets`: what is configured, what is spent of it and when that begins anew."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from app.store.calls import CallStore
from app.store.database import Database
from app.telemetry.record import Charge
from app.usage.periods import Period, PeriodKind

CONFIG = """
auth: {keys: [{name: ci, key: sk-ci-0123456789abcdef, plan: small}]}
organisations: {acme: {models: [fast, "openai/*"], limits: {rpm: 100}}}
teams: {search: {organisation: acme, budget: {amount: "100.00", per: month}, metadata: {desk: "7"}}, blue: {}}
users: {ann: {team: search, priority: low}, bob: {disabled: true}}
plans: {small: {limits: {rpm: 60}, budget: {amount: "10.00", per: day}}}
"""


@pytest.fixture
def configured(write):
    write(CONFIG)


@pytest.mark.usefixtures("configured")
def test_what_is_configured_is_listed_and_shown(sg) -> None:
    def names(kind: str) -> list[str]:
        return [each["name"] for each in json.loads(sg(kind, "list", "--json").out)]

    assert {kind: names(kind) for kind in ("organisations", "teams", "users", "plans")} == {
        "organisations": ["acme"],
        "teams": ["blue", "search"],
        "users": ["ann", "bob"],
        "plans": ["small"],
    }
    shown = json.loads(sg("teams", "show", "search", "--json").out)
    assert (shown["organisation"], shown["models"], shown["metadata"]) == ("acme", [], {"desk": "7"})
    assert [(each["amount"], each["per"]) for each in shown["budget"]] == [("100.00", "month")]
    lines = sg("teams", "list").out.splitlines()
    assert [line.split() for line in lines] == [
        ["name", "organisation", "models", "plan", "priority", "limits", "budget"],
        ["blue", "-", "all", "-", "-", "-", "-"],
        ["search", "acme", "all", "-", "-", "-", "100.00/month"],
    ]
    pairs = dict(line.split(maxsplit=1) for line in sg("organisations", "show", "acme").out.splitlines())
    assert (pairs["models"], pairs["limits"], pairs["regions"]) == ("fast, openai/*", "rpm=100", "all")
    assert "yes" in sg("users", "list").out.splitlines()[2]


@pytest.mark.usefixtures("configured")
def test_what_is_not_there_is_said(sg, write) -> None:
    said = sg("teams", "show", "serch")
    assert (said.code, said.out) == (1, "")
    assert "there is none named `serch` under `teams`; did you mean `search`?" in said.err
    assert "`key:ci` has no budget" in sg("budgets", "show", "key:ci").err
    write("{}")
    assert "There are no plans" in sg("plans", "list").out
    assert json.loads(sg("plans", "list", "--json").out) == []
    assert "There are no budgets" in sg("budgets", "list").out


@pytest.mark.usefixtures("configured")
def test_budgets_tell_what_is_left_and_when_they_reset(sg, record, folder) -> None:
    before = json.loads(sg("budgets", "list", "--json").out)
    assert [(each["subject"], each["per"], each["spent"]) for each in before] == [
        ("plan:small/ci", "day", "0"),
        ("team:search", "month", "0"),
    ]
    assert not (folder / "data").exists(), "looking makes no database"
    assert sg("keys", "create", "app", "--budget", "5/total").code == 0
    start = Period(PeriodKind.DAY, "UTC").start(time.time())

    async def spend() -> None:
        database = await Database.open("sqlite:///data/switchgear.db")
        charges = [
            Charge(subject="plan:small/ci", period="day", period_start=start, nano=2_500_000_000),
            Charge(subject="key:app", period="total", period_start=0, nano=10**9),
        ]
        await CallStore(database).insert_calls([record(1, charges=charges)], "test.spool", 1)
        await database.close()

    asyncio.run(spend())
    (day,) = json.loads(sg("budgets", "show", "plan:small/ci", "--json").out)
    if Period(PeriodKind.DAY, "UTC").start(time.time()) == start:
        assert (day["amount"], day["spent"], day["left"]) == ("10", "2.5", "7.5")
        assert day["ends"] > day["starts"]
    header, row = (line.split() for line in sg("budgets", "show", "key:app").out.splitlines())
    assert header[-1] == "resets"
    assert (row[0], row[-3:]) == ("key:app", ["1", "4", "never"])
