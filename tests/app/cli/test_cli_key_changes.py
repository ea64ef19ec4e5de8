"""`keys update|show|rotate` and all that `keys create` takes: straight on the database, and told in the audit log."""

from __future__ import annotations

import asyncio
import json

import pytest

from app.store.audit import AuditRow, AuditStore
from app.store.database import Database

CONFIG = "{plans: {small: {limits: {tpm: 1000}}}, teams: {red: {}, blue: {}}, users: {ann: {team: red}}}"
WHOLE = (
    *("--user", "ann", "--plan", "small", "--priority", "low", "--limit", "rpm=60", "--limit", "tpm=1_000"),
    *("--budget", "0.10/day", "--metadata", "for=tests", "--roles", "viewer", "--models", "fast"),
)


def audit() -> list[AuditRow]:
    async def read() -> list[AuditRow]:
        database = await Database.open("sqlite:///data/switchgear.db")
        rows = await AuditStore(database).read(10)
        await database.close()
        return rows

    return asyncio.run(read())


@pytest.fixture(autouse=True)
def configured(write):
    write(CONFIG)


def test_a_key_carries_what_the_options_say_and_changes_with_them(sg):
    first = sg("keys", "create", "app", *WHOLE).out.strip()
    shown = json.loads(sg("keys", "show", "app", "--json").out)
    expected = {
        "user": "ann",
        "team": "red",
        "plan": "small",
        "priority": "low",
        "limits": {"rpm": 60, "tpm": 1000},
        "budget": ["0.10/day"],
        "roles": ["viewer"],
        "metadata": {"for": "tests"},
        "models": ["fast"],
        "hint": first[-4:],
    }
    assert {name: shown[name] for name in expected} == expected
    assert sg("keys", "update", "app", "--limit", "rpm=5", "--clear", "plan", "--clear", "budget").code == 0
    shown = json.loads(sg("keys", "show", "app", "--json").out)
    assert (shown["limits"], shown["plan"], shown["budget"], shown["user"]) == ({"rpm": 5}, None, [], "ann")
    said = sg("keys", "rotate", "app", "--grace", "0s")
    assert "is not valid any more" in said.err
    assert (key := said.out.strip()) != first
    table = sg("keys", "show", "app").out
    assert ("rpm=5" in table, key[-4:] in table, key in table) == (True, True, False)
    assert sg("keys", "revoke", "app").code == 0
    rows = audit()
    assert [row.action for row in rows] == ["key.revoke", "key.rotate", "key.update", "key.create"]
    assert {row.actor.partition(":")[0] for row in rows} == {"cli"}
    assert key not in repr(rows)


def test_what_keys_cannot_be_says_why(sg):
    sg("keys", "create", "app")
    for arguments, code, words in (
        (("create", "x", "--limit", "rpm"), 2, "rpm=60"),
        (("create", "x", "--limit", "rpm=0"), 2, "lets no call through"),
        (("create", "x", "--limit", "rpx=1"), 2, "--limit"),
        (("create", "x", "--budget", "10"), 2, "10.00/day"),
        (("create", "x", "--budget", "10/year"), 2, "--budget"),
        (("create", "x", "--priority", "urgent"), 2, "--priority"),
        (("create", "x", "--roles", "root"), 2, "--roles"),
        (("create", "x", "--user", "bob"), 1, "no user `bob`"),
        (("create", "x", "--user", "ann", "--team", "blue"), 1, "in the team `red`"),
        (("update", "app", "--clear", "name"), 2, "--clear"),
        (("update", "apq", "--plan", "small"), 1, "did you mean `app`?"),
        (("rotate", "app", "--grace", "soon"), 2, "1h"),
        (("rotate", "nobody"), 1, "no live key"),
        (("show", "nobody"), 1, "no live key"),
    ):
        said = sg("keys", *arguments)
        assert (said.code, said.out) == (code, ""), arguments
        assert words in said.err, (arguments, said.err)
    assert len(audit()) == 1
