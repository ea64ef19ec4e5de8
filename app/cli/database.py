"""The database as a command uses it: beside a running gateway, and never made by merely looking."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.config.storage import SQLITE, Storage
from app.store.database import Database
from app.store.keys import KeyStore, StoredKey


@asynccontextmanager
async def database_of(storage: Storage) -> AsyncIterator[Database]:
    """Open the database, or make it. Raises `StoreUnavailable`."""
    database = Database.at(storage)
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
