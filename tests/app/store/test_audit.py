"""The audit log: a row with every change, in the same transaction, without secrets."""

from dataclasses import replace

import pytest

from app.auth.making import make_key, rotated
from app.config.identities import KeySettings
from app.store.audit import AuditStore, By, Change
from app.store.keys import KeyConflict, KeyStore

ANN = By("key:ann", "req-1")


async def test_every_change_of_a_key_is_told_with_what_was_and_what_is(database):
    keys, audit = KeyStore(database), AuditStore(database)
    key, new = make_key("app", KeySettings(team="red"))
    made = await keys.create_key(new, 1.0, ANN)
    await keys.change_key(made.id, lambda live: replace(live, limits={"rpm": 5}), 2.0, ANN)
    fresh = ""

    def rotate(live):
        nonlocal fresh
        fresh, after = rotated(live, 3.0, 60.0)
        return after

    await keys.change_key(made.id, rotate, 3.0, ANN, action="key.rotate")
    await keys.revoke_key("app", 4.0, By("cli:root"))
    rows = await audit.read(10)
    assert [(row.action, row.actor, row.at, row.request_id) for row in rows] == [
        ("key.revoke", "cli:root", 4.0, None),
        ("key.rotate", "key:ann", 3.0, "req-1"),
        ("key.update", "key:ann", 2.0, "req-1"),
        ("key.create", "key:ann", 1.0, "req-1"),
    ]
    assert (rows[2].before.get("limits"), rows[2].after["limits"]) == (None, {"rpm": 5})
    assert rows[1].after["hint"] == fresh[-4:]
    assert {row.target for row in rows} == {"key:app"}
    for secret in (key, fresh, made.digest):
        assert secret not in repr(rows)


async def test_what_does_not_happen_is_not_told(database):
    keys, audit = KeyStore(database), AuditStore(database)
    await keys.create_key(make_key("app")[1], 1.0)
    await keys.create_key(make_key("other")[1], 1.0)

    def refuse(_):
        raise LookupError

    with pytest.raises(LookupError):
        await keys.change_key("app", refuse, 2.0)
    with pytest.raises(KeyConflict):
        await keys.create_key(make_key("app")[1], 3.0)
    with pytest.raises(KeyConflict):
        await keys.change_key("app", lambda live: replace(live, name="other"), 3.0)
    assert await keys.revoke_key("nobody", 4.0) is None
    assert await keys.revoke_key("app", 4.0, team="red") is None
    assert len(await audit.read(10)) == 2
    assert (await keys.find_key("app")).revoked is None


async def test_rows_come_in_pages_the_newest_first(database):
    audit = AuditStore(database)
    for number in range(5):
        await audit.write(Change("reload", f"number:{number % 2}"), ANN, float(number))
    first = await audit.read(2)
    assert [row.at for row in (*first, *await audit.read(2, before=first[-1].id))] == [4.0, 3.0, 2.0, 1.0]
    assert [row.at for row in await audit.read(9, target="number:1")] == [3.0, 1.0]


async def test_keys_come_in_pages_of_a_team(database):
    keys = KeyStore(database)
    for name, team in (("a", "red"), ("b", "blue"), ("c", "red"), ("d", "red")):
        await keys.create_key(make_key(name, KeySettings(team=team))[1], 1.0)
    page = await keys.page_of_keys(2, team="red")
    assert [key.name for key in (*page, *await keys.page_of_keys(2, page[-1].id, "red"))] == ["a", "c", "d"]
    assert [key.name for key in await keys.page_of_keys(9, name="b")] == ["b"]
    assert await keys.find_key(page[0].id, "blue") is None
