"""The database: one connection that writes, a few that read, and nothing on the request path.

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

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

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


class StoreUnavailable(Exception):
    """The database cannot be used now: locked, full, read-only, damaged, too new. Try again later."""


class Database:
    """A SQLite file. Prepares itself at first use, and again after it was unavailable."""

    def __init__(self, path: Path, *, busy_timeout: float = BUSY_TIMEOUT) -> None:
        self.path = path
        self._busy_timeout = busy_timeout
        self._ready = False
        self._writer = self._engine(1)
        self._reader = self._engine(READERS)

    @classmethod
    async def open(cls, url: str, *, busy_timeout: float = BUSY_TIMEOUT) -> Database:
        """Open or create the file that `sqlite:///relative.db` or `sqlite:////absolute.db` names.

        Raises `ValueError` for another kind of URL, `StoreUnavailable`.
        """
        database = cls(sqlite_path(url), busy_timeout=busy_timeout)
        try:
            await database._prepare()
        except BaseException:
            await database.close()
            raise
        return database

    async def close(self) -> None:
        """Close all connections."""
        await self._writer.dispose()
        await self._reader.dispose()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Give the one writing connection, in a transaction that commits at the end of the block.

        Raises `StoreUnavailable`; lets SQLAlchemy's `IntegrityError` and `DataError` pass.
        """
        await self._prepare()
        async with self._transaction() as connection:
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Give a reading connection. Keep it short: a long read keeps the WAL from shrinking.

        Raises `StoreUnavailable`.
        """
        await self._prepare()
        async with self._connection(self._reader) as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Give a reading connection that sees one moment of the database. Raises `StoreUnavailable`."""
        async with self.read() as connection:
            await connection.exec_driver_sql("BEGIN")
            yield connection

    async def _prepare(self) -> None:
        if self._ready:
            return
        try:
            await asyncio.to_thread(_create_file, self.path)
        except OSError as error:
            raise StoreUnavailable(f"{self.path}: {error.strerror}") from error
        try:
            await self._make_tables()
        except SchemaTooNew as error:
            raise StoreUnavailable(str(error)) from error
        self._ready = True

    async def _make_tables(self) -> None:
        async with self._connection(self._writer) as connection:
            if await connection.run_sync(found_version) == SCHEMA_VERSION:
                return
        async with self._transaction() as connection:
            if await connection.run_sync(create_or_keep):
                return
        try:
            await asyncio.to_thread(migrate, self.path, busy_timeout=self._busy_timeout)
        except SQLAlchemyError as error:
            raise StoreUnavailable(_reason(error)) from error

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        async with self._connection(self._writer) as connection:
            for pragma in _PRAGMAS:
                await connection.exec_driver_sql(pragma)
            # Taking the lock at once: a transaction that starts by reading cannot wait for it later.
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            await connection.commit()

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
        except (IntegrityError, DataError):
            raise
        except SQLAlchemyError as error:
            self._ready = False
            raise StoreUnavailable(_reason(error)) from error

    def _engine(self, connections: int) -> AsyncEngine:
        return create_async_engine(
            URL.create("sqlite+aiosqlite", database=str(self.path)),
            # Without an isolation level the driver leaves transactions to us.
            connect_args={"timeout": self._busy_timeout, "isolation_level": None},
            pool_size=connections,
            max_overflow=0,
            hide_parameters=True,
        )


def sqlite_path(url: str) -> Path:
    """Give the file that a `sqlite:///…` URL names. Raises `ValueError`, which shows no password."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.drivername != "sqlite" or parsed.host or parsed.query or not parsed.database:
        kind = parsed.drivername if parsed else "something else"
        raise ValueError(f"`storage` is to be like `sqlite:///data/switchgear.db`, and this is {kind}")
    if parsed.database == ":memory:":
        raise ValueError(
            "`storage` is to be a file, like `sqlite:///data/switchgear.db`: memory survives no restart"
        )
    return Path(parsed.database)


def _create_file(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite would make it readable by all; its WAL takes the modes of this file. One that exists is left
    # alone: to close it would drop every lock that this process's connections hold on it.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _reason(error: SQLAlchemyError) -> str:
    return str(error.orig) if isinstance(error, DBAPIError) else str(error)
