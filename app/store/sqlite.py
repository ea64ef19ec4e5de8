"""SQLite: a file, with one connection that writes and a few that read.

Durability: WAL with `synchronous=FULL`, so that a commit survives a power cut
(https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import URL, create_engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.store.driver import READ_TIMEOUT, Refused, StoreUnavailable, Taken, TookTooLong
from app.store.preparing import SchemaTooNew, create_or_keep, found_version, migrate
from app.store.schema import SCHEMA_VERSION

BUSY_TIMEOUT = 5.0
"""Seconds that a statement waits for another process's lock."""
READERS = 2

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA journal_size_limit=67108864",
)
_ENDED = "interrupted"
_TWICE = ("UNIQUE constraint failed", "PRIMARY KEY constraint failed")


class Sqlite:
    """A SQLite file."""

    def __init__(
        self, path: Path, *, busy_timeout: float = BUSY_TIMEOUT, read_timeout: float = READ_TIMEOUT
    ) -> None:
        self._path = path
        self._busy_timeout = busy_timeout
        self._read_timeout = read_timeout
        self._writer = self._engine(1)
        self._reader = self._engine(READERS)

    async def close(self) -> None:
        """Close all connections."""
        await self._writer.dispose()
        await self._reader.dispose()

    async def prepare(self) -> None:
        """See that the file is there, with the tables of this release. Raises `StoreUnavailable`."""
        try:
            await asyncio.to_thread(_create_file, self._path)
        except OSError as error:
            raise StoreUnavailable(f"{self._path}: {error.strerror}") from error
        try:
            await self._make_tables()
        except SchemaTooNew as error:
            raise StoreUnavailable(str(error)) from error

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Give the one writing connection. Raises `StoreUnavailable`, `Refused`."""
        async with self._connection(self._writer) as connection:
            for pragma in _PRAGMAS:
                await connection.exec_driver_sql(pragma)
            # Taking the lock at once: a transaction that starts by reading cannot wait for it later.
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            await connection.commit()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Give a reading connection. Raises `StoreUnavailable`."""
        async with self._connection(self._reader) as connection:
            ending = asyncio.create_task(_end_after(self._read_timeout, connection))
            try:
                yield connection
            finally:
                ending.cancel()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Give a reading connection in a transaction. Raises `StoreUnavailable`."""
        async with self.read() as connection:
            await connection.exec_driver_sql("BEGIN")
            yield connection

    async def _make_tables(self) -> None:
        async with self._connection(self._writer) as connection:
            if await connection.run_sync(found_version) == SCHEMA_VERSION:
                return
        async with self.write() as connection:
            if await connection.run_sync(create_or_keep):
                return
        try:
            await asyncio.to_thread(_migrate, self._path, busy_timeout=self._busy_timeout)
        except SQLAlchemyError as error:
            raise StoreUnavailable(_reason(error)) from error

    @asynccontextmanager
    async def _connection(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        try:
            async with engine.connect() as connection:
                try:
                    yield connection
                except (IntegrityError, DataError):
                    raise
                except SQLAlchemyError:
                    # The file may be replaced before the next try, and this connection would not see it.
                    await connection.invalidate()
                    raise
        except (IntegrityError, DataError) as error:
            reason = _reason(error)
            raise (Taken if reason.startswith(_TWICE) else Refused)(reason) from error
        except SQLAlchemyError as error:
            reason = _reason(error)
            if reason == _ENDED:
                raise TookTooLong(f"SQLite needs more than {self._read_timeout:g} s for it") from error
            raise StoreUnavailable(reason) from error

    def _engine(self, connections: int) -> AsyncEngine:
        return create_async_engine(
            URL.create("sqlite+aiosqlite", database=str(self._path)),
            # Without an isolation level the driver leaves transactions to us.
            connect_args={"timeout": self._busy_timeout, "isolation_level": None},
            pool_size=connections,
            max_overflow=0,
            hide_parameters=True,
        )


def _migrate(path: Path, *, busy_timeout: float) -> None:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": busy_timeout, "isolation_level": None},
        hide_parameters=True,
    )
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA synchronous=FULL")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            migrate(connection)
            connection.commit()
    finally:
        engine.dispose()


async def _end_after(seconds: float, connection: AsyncConnection) -> None:
    await asyncio.sleep(seconds)
    driver = (await connection.get_raw_connection()).driver_connection
    if driver is not None:
        # The statement that runs in the connection's thread, if any does.
        await driver.interrupt()


def _create_file(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite would make it readable by all; its WAL takes the modes of this file. One that exists is left
    # alone: to close it would drop every lock that this process's connections hold on it.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _reason(error: SQLAlchemyError) -> str:
    return str(error.orig) if isinstance(error, DBAPIError) else str(error)
