"""The database as a command uses it: beside a running gateway, and never made by merely looking."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import typer

from app.auth.upstream.stored import opened
from app.config.encryption import usable
from app.config.loader import Loaded
from app.config.storage import SQLITE, Storage
from app.store.audit import By
from app.store.credentials import CredentialStore, StoredCredential
from app.store.database import Database, StoreUnavailable
from app.store.keys import KeyStore, StoredKey

PATIENCE = 60.0
"""Seconds that a report may take for somebody who waits for it."""


@asynccontextmanager
async def database_of(storage: Storage) -> AsyncIterator[Database]:
    """Open the database, or make it. Raises `StoreUnavailable`."""
    database = Database.at(storage, read_timeout=PATIENCE)
    try:
        await database.prepare()
        yield database
    finally:
        await database.close()


def exists(storage: Storage) -> bool:
    """Whether there is a database to look into. Of another machine's only opening it tells."""
    return storage.kind != SQLITE or storage.local.exists()


async def stored_keys(storage: Storage) -> list[StoredKey]:
    """Give all keys of the database, none where there is no database. Raises `StoreUnavailable`."""
    if not exists(storage):
        return []
    async with database_of(storage) as database:
        return await KeyStore(database).list_keys()


async def stored_credentials(storage: Storage) -> list[StoredCredential]:
    """Give all credentials of the database, none where there is no database. Raises `StoreUnavailable`."""
    if not exists(storage):
        return []
    async with database_of(storage) as database:
        return await CredentialStore(database).list_credentials()


def at_work(loaded: Loaded) -> Loaded:
    """Give a configuration as a gateway has it: with the credentials of the database that its keys open.

    Says on standard error where the database cannot be asked.
    """
    keys = usable(loaded.config.encryption.keys)
    if not keys:
        return loaded
    try:
        rows = asyncio.run(stored_credentials(loaded.config.storage))
    except StoreUnavailable as error:
        typer.echo(f"credentials of the database are not shown: {error}", err=True)
        return loaded
    return loaded.with_credentials(opened(rows, keys))


def whoever() -> By:
    """Say who works at this command line, for the audit log."""
    try:
        return By(f"cli:{getpass.getuser()}")
    except (KeyError, OSError):
        return By(f"cli:{os.getuid()}")
