"""`/admin/v1/providers/NAME/credentials` over a real database: what is kept, what is told, what is refused."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, text

from app.auth.upstream.desk import CredentialDesk
from app.config.loader import Loaded, load
from app.store.audit import By
from app.store.schema import credentials
from tests.app.api.office import ENCRYPTION_KEY, Office, open_office

SECRET = "sk-canary-of-the-admin-api-0123456789wxyz"
OTHER = "sk-canary-of-another-one-0123456789qrst"
NEW_KEY = "b" * 43 + "="
ROUTE = "/providers/openai/credentials"


@pytest.fixture
async def office(database):
    async with open_office(database) as office:
        yield office


def loaded_with(keys: str) -> Loaded:
    return load([Path(os.devnull)], {"SWITCHGEAR_ENCRYPTION__KEYS": keys} if keys else {}, {})


async def kept(office: Office) -> list[dict]:
    """Give the rows as they stand in the database."""
    async with office.credential_store._database.read() as connection:
        return [dict(row) for row in (await connection.execute(select(credentials))).mappings()]


async def listed(office: Office, route: str = ROUTE) -> list[dict]:
    return (await office.ask("viewer", "GET", route)).json()["data"]


def texts_of(office: Office, loaded: Loaded | None = None) -> list[str]:
    """Give the credentials that `openai` would be asked with."""
    providers = office.stored_credentials.over(loaded or office.loaded).providers
    return [
        each.key.reveal()
        for provider in providers
        if provider.name == "openai"
        for each in provider.credentials
    ]


async def test_a_credential_is_used_and_listed_replaced_and_removed_but_never_given_back(office):
    added = await office.ask("admin", "POST", ROUTE, {"key": SECRET, "weight": 2, "models": ["gpt-*"]})
    assert added.status_code == 201, added.text
    row = added.json()
    assert (row["hint"], row["weight"], row["models"], row["opened"]) == ("wxyz", 2, ["gpt-*"], True)
    assert (row["provider"], row["created_by"], row["changed"]) == ("openai", "key:admin", row["created"])
    assert texts_of(office) == [SECRET]
    (provider,) = office.stored_credentials.over(office.loaded).providers
    (credential,) = provider.credentials
    assert (credential.weight, credential.models, credential.stored) == (2, ("gpt-*",), row["id"])

    settings = await office.ask("admin", "PATCH", f"{ROUTE}/{row['id']}", {"weight": 7})
    assert (settings.json()["weight"], settings.json()["models"]) == (7, ["gpt-*"])
    assert texts_of(office) == [SECRET]
    rotated = await office.ask("admin", "PATCH", f"{ROUTE}/{row['id']}", {"key": OTHER, "models": []})
    assert (rotated.json()["hint"], rotated.json()["models"], rotated.json()["weight"]) == ("qrst", [], 7)
    assert texts_of(office) == [OTHER]
    assert await listed(office) == [rotated.json()]

    audit = await office.ask("viewer", "GET", "/audit")
    removed = await office.ask("admin", "DELETE", f"{ROUTE}/{row['id']}")
    assert removed.json()["id"] == row["id"]
    assert (await listed(office), texts_of(office), await kept(office)) == ([], [], [])
    assert (await office.ask("admin", "DELETE", f"{ROUTE}/{row['id']}")).status_code == 404
    actions = [each["action"] for each in audit.json()["data"]]
    assert actions == ["credential.rotate", "credential.update", "credential.add"]
    for answer in (added, settings, rotated, audit, removed):
        assert SECRET not in answer.text
        assert OTHER not in answer.text


async def test_the_database_holds_nothing_that_opens_without_the_key_or_in_another_row(office):
    first = (await office.ask("admin", "POST", ROUTE, {"key": SECRET})).json()
    await office.ask("admin", "POST", ROUTE, {"key": OTHER})
    one, two = await kept(office)
    assert SECRET not in repr(one)
    async with office.credential_store._database.write() as connection:
        swap = text("UPDATE credentials SET sealed = :sealed WHERE id = :id")
        await connection.execute(swap, {"sealed": two["sealed"], "id": one["id"]})
        await connection.execute(text("UPDATE changes SET count = count + 1"))
    await office.stored_credentials.refresh()
    assert texts_of(office) == [OTHER]
    assert office.stored_credentials.unopened == {first["id"]}
    assert [each["opened"] for each in await listed(office)] == [False, True]
    # What is out of use can still be mended, and then is in use again.
    await office.ask("admin", "PATCH", f"{ROUTE}/{first['id']}", {"key": SECRET})
    assert (sorted(texts_of(office)), office.stored_credentials.unopened) == (sorted([SECRET, OTHER]), set())


async def test_keys_are_changed_by_putting_the_new_one_first_and_sealing_anew(office):
    await office.ask("admin", "POST", ROUTE, {"key": SECRET})
    both, new = loaded_with(f"{NEW_KEY},{ENCRYPTION_KEY}"), loaded_with(NEW_KEY)
    assert texts_of(office, both) == [SECRET]
    assert texts_of(office, new) == []
    assert office.stored_credentials.unopened
    office.loaded = both
    await office.ask("admin", "POST", ROUTE, {"key": OTHER})
    assert texts_of(office, new) == [OTHER]
    desk = CredentialDesk(office.credential_store, both, By("test"), lambda: 1.0, os.urandom)
    assert (await desk.reseal(), await desk.reseal()) == (1, 0)
    await office.stored_credentials.refresh()
    assert texts_of(office, new) == [SECRET, OTHER]


async def test_what_cannot_be_kept_is_refused_and_says_what_would_be_right(office):
    for route, body, status, said in (
        (ROUTE, {}, 400, "key"),
        (ROUTE, {"key": ""}, 400, "1 to 16384 characters"),
        (ROUTE, {"key": "x" * 20000}, 400, "1 to 16384 characters"),
        (ROUTE, {"key": f"{SECRET}\n"}, 400, "line break"),
        (ROUTE, {"key": "<your key>"}, 400, "It cannot be used"),
        (ROUTE, {"key": "changeme"}, 400, "placeholder"),
        (ROUTE, {"key": {"file": "/etc/passwd"}}, 400, "must be a text"),
        (ROUTE, {"key": SECRET, "weight": 0}, 400, "weight"),
        (ROUTE, {"key": SECRET, "weight": 10**9}, 400, "weight"),
        (ROUTE, {"key": SECRET, "secret": "x"}, 400, "secret"),
        ("/providers/opnai/credentials", {"key": SECRET}, 404, "did you mean `openai`"),
        ("/providers/echo/credentials", {"key": SECRET}, 409, "without a credential"),
    ):
        answer = await office.ask("admin", "POST", route, body)
        assert (answer.status_code, said in answer.text) == (status, True), (body, answer.text)
        assert SECRET not in answer.text
    assert (await office.ask("admin", "POST", ROUTE, {"key": SECRET})).status_code == 201
    again = await office.ask("admin", "POST", ROUTE, {"key": SECRET})
    assert (again.status_code, "this very credential" in again.text) == (409, True)
    assert len(await kept(office)) == 1
    assert (await office.ask("viewer", "GET", "/providers/nobody/credentials")).status_code == 404


async def test_without_a_key_to_seal_with_nothing_is_kept_and_it_says_how_to_make_one(office):
    await office.ask("admin", "POST", ROUTE, {"key": SECRET})
    office.loaded = loaded_with("")
    answer = await office.ask("admin", "POST", ROUTE, {"key": OTHER})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_encryption_key")
    assert "openssl rand -base64 32" in answer.text
    (row,) = await listed(office)
    assert row["opened"] is False
    assert (await office.ask("admin", "PATCH", f"{ROUTE}/{row['id']}", {"weight": 3})).json()["weight"] == 3
    assert (await office.ask("admin", "DELETE", f"{ROUTE}/{row['id']}")).status_code == 200


async def test_one_of_the_configuration_is_not_added_again_and_one_of_a_provider_that_is_gone_can_be_removed(
    office,
):
    office.loaded = load(
        [Path(os.devnull)], {"OPENAI_API_KEY": SECRET, "SWITCHGEAR_ENCRYPTION__KEYS": ENCRYPTION_KEY}, {}
    )
    assert (await office.ask("admin", "POST", ROUTE, {"key": SECRET})).status_code == 409
    await office.ask("admin", "POST", ROUTE, {"key": OTHER})
    assert texts_of(office) == [SECRET, OTHER]
    office.loaded = replace(office.loaded, known=())
    (row,) = await listed(office)
    assert (await office.ask("admin", "DELETE", f"{ROUTE}/{row['id']}")).status_code == 200
