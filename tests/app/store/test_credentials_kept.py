"""Providers' credentials in the database, over whichever database the suite is asked for."""

from dataclasses import replace

import pytest

from app.store.audit import AuditStore, By
from app.store.credentials import MOST, CredentialStore, NewCredential, TooMany
from app.store.database import Database

BY = By("key:ops", "req-1")
NEW = NewCredential(provider="openai", hint="abcd", weight=2, models=["gpt-*"])


def sealed(id: int) -> str:
    return f"sealed-{id}"


async def test_a_credential_comes_back_as_it_was_stored_until_it_is_removed(database):
    store, audit = CredentialStore(database), AuditStore(database)
    one = await store.add(NEW, sealed, 100.0, BY)
    two = await store.add(replace(NEW, provider="acme", models=()), sealed, 101.0)
    assert (one.sealed, one.weight, one.models, one.hint) == (f"sealed-{one.id}", 2, ["gpt-*"], "abcd")
    assert (one.created, one.created_by, one.changed) == (100.0, "key:ops", 100.0)
    assert await store.list_credentials() == [one, replace(two, models=[])]
    assert await store.list_credentials("openai") == [one]
    assert one.sealed not in repr(one)

    changed = await store.change("openai", one.id, lambda each: replace(each, weight=5), 110.0, BY)
    assert (changed.weight, changed.changed, changed.created) == (5, 110.0, 100.0)
    new = await store.change(
        "openai", one.id, lambda each: replace(each, sealed="new", hint="wxyz"), 120.0, BY
    )
    assert await store.list_credentials("openai") == [new]
    assert await store.change("acme", one.id, lambda each: each, 1.0) is None
    assert await store.remove("acme", one.id, 1.0) is None
    assert await store.remove("openai", one.id, 130.0, BY) == new
    assert await store.remove("openai", one.id, 131.0) is None
    assert (await store.add(NEW, sealed, 140.0)).id > two.id, "an id is never given again"

    rows = await audit.read(10, target=f"credential:openai/{one.id}")
    assert [row.action.partition(".")[2] for row in rows] == ["remove", "rotate", "update", "add"]
    assert {(row.actor, row.request_id) for row in rows} == {("key:ops", "req-1")}
    assert (rows[0].before, rows[0].after) == ({"hint": "wxyz", "weight": 5, "models": ["gpt-*"]}, None)
    assert "sealed" not in repr(rows)


async def test_every_change_is_seen_by_those_who_follow_and_nothing_else_is(database, store_url):
    other = await Database.open(store_url)
    store, looker = CredentialStore(database), CredentialStore(other)
    seen = [await looker.change_token()]
    row = await store.add(NEW, sealed, 1.0)
    seen.append(await looker.change_token())
    await store.change("openai", row.id, lambda each: replace(each, weight=3), 2.0)
    seen.append(await looker.change_token())
    assert await store.reseal(lambda each: None, 3.0) == 0
    await store.remove("openai", 999, 3.0)
    assert await looker.change_token() == seen[-1]
    assert await store.reseal(lambda each: "anew", 3.0) == 1
    seen.append(await looker.change_token())
    await store.remove("openai", row.id, 4.0)
    seen.append(await looker.change_token())
    assert len(set(seen)) == 5
    await other.close()


async def test_what_fails_while_it_is_sealed_leaves_no_row(database):
    store = CredentialStore(database)

    def fail(_: int) -> str:
        raise RuntimeError("no key")

    with pytest.raises(RuntimeError):
        await store.add(NEW, fail, 1.0)
    assert await store.list_credentials() == []


async def test_a_provider_has_a_bounded_number(database, monkeypatch):
    assert MOST == 100
    monkeypatch.setattr("app.store.credentials.MOST", 2)
    store = CredentialStore(database)
    for _ in range(2):
        await store.add(NEW, sealed, 1.0)
    with pytest.raises(TooMany, match="openai has 2 credentials"):
        await store.add(NEW, sealed, 1.0)
    await store.add(replace(NEW, provider="acme"), sealed, 1.0)
