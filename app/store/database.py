"""The database: one that writes in transactions, reads, and is never on the request path."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from app.config.storage import POSTGRESQL, SQLITE, Storage
from app.store.driver import (
    READ_TIMEOUT,
    Driver,
    Refused,
    StoreUnavailable,
    Taken,
    TookTooLong,
    WriteConflict,
)
from app.store.sqlite import Sqlite

__all__ = ["Database", "Refused", "StoreUnavailable", "Taken", "TookTooLong", "WriteConflict"]


class Database:
    """A database of any kind. Prepares itself at first use, and again after it was unavailable."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._ready = False

    @classmethod
    def at(cls, storage: Storage, *, read_timeout: float = READ_TIMEOUT) -> Database:
        """Give the database of a `storage` setting. Raises `StoreUnavailable` where its driver is not installed.

        `read_timeout` is how many seconds a report may take.
        """
        return cls(_DRIVERS[storage.kind](storage, read_timeout))

    @classmethod
    async def open(cls, url: str) -> Database:
        """Open the database of a `storage` URL, or create it. Raises `ValueError`, `StoreUnavailable`."""
        database = cls.at(Storage.of(url))
        try:
            await database.prepare()
        except BaseException:
            await database.close()
            raise
        return database

    async def prepare(self) -> None:
        """See that it has the tables of this release. Raises `StoreUnavailable`."""
        await self._driver.prepare()
        self._ready = True

    async def close(self) -> None:
        """Close all connections."""
        await self._driver.close()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Give a writing connection, in a transaction that commits at the end of the block.

        Raises `StoreUnavailable`, `Refused`.
        """
        async with self._using(self._driver.write) as connection:
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Give a reading connection. Keep it short: a long read keeps what it sees from being cleaned away.

        Raises `StoreUnavailable`.
        """
        async with self._using(self._driver.read) as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Give a reading connection that sees one moment of the database. Raises `StoreUnavailable`."""
        async with self._using(self._driver.snapshot) as connection:
            yield connection

    @asynccontextmanager
    async def _using(
        self, connect: Callable[[], AbstractAsyncContextManager[AsyncConnection]]
    ) -> AsyncIterator[AsyncConnection]:
        try:
            if not self._ready:
                await self.prepare()
            async with connect() as connection:
                yield connection
        except (WriteConflict, TookTooLong):
            raise
        except StoreUnavailable:
            # What comes back may be an older copy, or another server.
            self._ready = False
            raise


def _postgres(storage: Storage, read_timeout: float) -> Driver:
    try:
        from app.store.postgres import Postgres  # noqa: PLC0415 - an extra, and a slow import
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise StoreUnavailable(
            "`storage` is a PostgreSQL, and its driver is not installed: pip install 'switchgear[postgres]'"
        ) from None
    return Postgres(storage, read_timeout)


_DRIVERS: Mapping[str, Callable[[Storage, float], Driver]] = {
    SQLITE: lambda storage, read_timeout: Sqlite(storage.local, read_timeout=read_timeout),
    POSTGRESQL: _postgres,
}
