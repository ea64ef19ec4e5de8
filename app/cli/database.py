"""The database as a command uses it: beside a running gateway, and never made by merely looking."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.store.database import Database, sqlite_path
from app.store.keys import KeyStore, StoredKey


@asynccontextmanager
async def database_of(storage: str) -> AsyncIterator[Database]:
    """Open the database, or make it. Raises `StoreUnavailable`."""
    database = await Database.open(storage)
    try:
        yield database
    finally:
        await database.close()


def exists(storage: str) -> bool:
    """Whether there is a database to look into."""
    return sqlite_path(storage).exists()


async def stored_keys(storage: str) -> list[StoredKey]:
    """Give all keys of the database, none where there is no database. Raises `StoreUnavailable`."""
    if not exists(storage):
        return []
    async with database_of(storage) as database:
        return await KeyStore(database).list_keys()
