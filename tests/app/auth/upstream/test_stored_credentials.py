"""Credentials of the database in memory: what they do while the store is away, and when what follows them fails."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
import structlog

from app.auth.upstream.desk import CredentialDesk
from app.auth.upstream.stored import StoredCredentials
from app.config.loader import load
from app.store.audit import By
from app.store.credentials import CredentialStore
from app.store.database import Database, StoreUnavailable
from providers.types import Secret

KEY = base64.b64encode(bytes(range(32))).decode()
LOADED = load([Path(os.devnull)], {"SWITCHGEAR_ENCRYPTION__KEYS": KEY}, {})
SECRET = "sk-canary-that-is-followed-0123456789"


@pytest.fixture
async def database(tmp_path):
    database = await Database.open(f"sqlite:///{tmp_path}/a.db")
    yield database
    await database.close()


async def test_what_is_known_goes_on_while_the_store_is_away_and_a_failed_swap_is_made_up_for(
    database, tmp_path
):
    log = structlog.testing.CapturingLogger()
    store = CredentialStore(database)
    desk = CredentialDesk(store, LOADED, By("test"), lambda: 1.0, os.urandom)
    stored, swaps = StoredCredentials(store, log), []

    async def swap() -> None:
        swaps.append([each.name for each in stored.over(LOADED).providers])
        if len(swaps) == 1:
            raise StoreUnavailable("not now")

    stored.followers.append(swap)
    await desk.add("openai", Secret(SECRET), {})
    with pytest.raises(StoreUnavailable):
        await stored.refresh()
    for _ in range(3):
        await stored.refresh()
    assert swaps == [["openai"], ["openai"]]

    await database.close()
    for file in tmp_path.iterdir():
        file.unlink()
    (tmp_path / "a.db").mkdir()
    with pytest.raises(StoreUnavailable):
        await stored.refresh()
    (provider,) = stored.over(LOADED).providers
    assert [each.key.reveal() for each in provider.credentials] == [SECRET]


async def test_one_that_no_key_opens_is_told_of_once(database):
    log = structlog.testing.CapturingLogger()
    store = CredentialStore(database)
    desk = CredentialDesk(store, LOADED, By("test"), lambda: 1.0, os.urandom)
    row = await desk.add("openai", Secret(SECRET), {})
    stored, without = StoredCredentials(store, log), load([Path(os.devnull)], {}, {})
    await stored.refresh()
    for loaded in (LOADED, without, without, LOADED, without):
        stored.over(loaded)
    told = {"provider": "openai", "id": row.id}
    assert [(call.args, call.kwargs) for call in log.calls] == [(("stored_credential_not_opened",), told)] * 2
    assert stored.unopened == {row.id}
