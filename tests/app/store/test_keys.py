import hashlib

import pytest

from app.store.database import Database
from app.store.keys import KeyConflict, KeyStore, NewKey


def key(name: str, secret: str = "", **more) -> NewKey:
    digest = hashlib.sha256((secret or name).encode()).hexdigest()
    return NewKey(name=name, digest=digest, hint="abcd", **more)


async def test_a_key_comes_back_as_it_was_made(database):
    keys = KeyStore(database)
    made = await keys.create_key(key("ci", models=["fast"], expires=200.0, metadata={"team": "a"}), 100.0)
    assert [made] == await keys.list_keys()
    assert (made.name, made.models, made.expires, made.metadata) == ("ci", ["fast"], 200.0, {"team": "a"})
    assert (made.created, made.revoked) == (100.0, None)
    assert made.digest not in repr(made)


async def test_no_models_named_means_all_and_an_empty_list_means_none(database):
    keys = KeyStore(database)
    assert (await keys.create_key(key("all"), 1.0)).models is None
    assert (await keys.create_key(key("none", models=[]), 1.0)).models == []


async def test_a_name_is_free_again_once_its_key_is_revoked(database):
    keys = KeyStore(database)
    first = await keys.create_key(key("ci", "one"), 1.0)
    with pytest.raises(KeyConflict, match="'ci'"):
        await keys.create_key(key("ci", "two"), 2.0)
    revoked = await keys.revoke_key("ci", 3.0)
    assert (revoked.id, revoked.revoked) == (first.id, 3.0)
    second = await keys.create_key(key("ci", "two"), 4.0)
    assert [k.revoked for k in await keys.list_keys()] == [3.0, None]
    assert (await keys.revoke_key(second.id, 5.0)).id == second.id
    assert await keys.revoke_key("ci", 6.0) is None


async def test_the_same_key_cannot_come_back_under_another_name(database):
    keys = KeyStore(database)
    await keys.create_key(key("a", "same"), 1.0)
    await keys.revoke_key("a", 2.0)
    with pytest.raises(KeyConflict, match="stored already"):
        await keys.create_key(key("b", "same"), 3.0)


async def test_the_token_changes_with_every_change_seen_from_another_connection(database, store_url):
    other = await Database.open(store_url)
    keys, seen = KeyStore(database), [await KeyStore(other).change_token()]
    await keys.create_key(key("a"), 1.0)
    seen.append(await KeyStore(other).change_token())
    await keys.revoke_key("a", 2.0)
    seen.append(await KeyStore(other).change_token())
    assert len(set(seen)) == 3
    await keys.revoke_key("a", 3.0)
    with pytest.raises(KeyConflict):
        await keys.create_key(key("c", "a"), 3.0)
    assert await KeyStore(other).change_token() == seen[-1]
    await other.close()


@pytest.mark.parametrize(
    "wrong",
    [
        NewKey(name="", digest="0" * 64, hint="abcd"),
        NewKey(name="x" * 129, digest="0" * 64, hint="abcd"),
        NewKey(name="a\nb", digest="0" * 64, hint="abcd"),
        NewKey(name="a", digest="sk-the-key-itself", hint="abcd"),
        NewKey(name="a", digest="0" * 64, hint="sk-the-key-itself"),
    ],
)
async def test_a_wrong_field_is_refused_and_the_key_is_not_told(database, wrong):
    with pytest.raises(ValueError, match="a key's") as raised:
        await KeyStore(database).create_key(wrong, 1.0)
    assert "sk-" not in str(raised.value)
    assert await KeyStore(database).list_keys() == []
