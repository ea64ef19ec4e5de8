"""PostgreSQL: several gateways write to one database, each over a few connections with time-outs at both ends.

The server's time-outs free what a frozen gateway holds; ours end the wait for a frozen server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.config.storage import Storage, fault_of
from app.store.driver import READ_TIMEOUT, Refused, StoreUnavailable, Taken, TookTooLong, WriteConflict
from app.store.preparing import SchemaTooNew, create_or_keep, found_version, migrate
from app.store.schema import SCHEMA_VERSION

WRITERS = 2
"""One for the ledger's batches, one for keys made or revoked meanwhile."""
READERS = 3
CONNECT_TIMEOUT = 5.0
WRITE_TIMEOUT = 10.0
"""Seconds that a statement of a batch may take, and that a silent transaction may hold its locks."""
PREPARE_TIMEOUT = 600.0
"""Seconds that making or migrating the tables may take, and waiting for another instance that does it."""
GRACE = 1.0
"""Seconds after the server's own time-out until it is taken for frozen."""

_PREPARING = 0x5357_4743
"""Whoever makes or migrates tables holds the advisory lock of this number."""
_DEFAULTS: Mapping[str, str] = {}
_BY_KEY = {"enable_seqscan": "off"}
"""Batches find rows by key: a plan that was made while a table was empty must not read all of it once it is full."""
_AWAY = (SQLAlchemyError, OSError, TimeoutError)
"""What a statement raises: asyncpg's time-outs and broken sockets come as they are."""
_ANSWERS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, ValueError)
"""What connecting raises."""
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_UNIQUE = "23505"
_IN_THE_WAY = frozenset({"40001", "40P01"})
"""Serialization failure, deadlock."""
_CANCELED = "57014"
_OF_RULES = "23"
_OF_DATA = ("22", "54")
"""Data exceptions, and what is too large for the server, such as an entry of an index."""


class Postgres:
    """A PostgreSQL database."""

    def __init__(self, storage: Storage, read_timeout: float = READ_TIMEOUT) -> None:
        self._storage = storage
        self._writer = self._engine(WRITE_TIMEOUT, _BY_KEY, pool_size=WRITERS)
        # Each read is a statement of its own, without the round trips of a transaction.
        self._reader = self._engine(read_timeout, pool_size=READERS, isolation_level="AUTOCOMMIT")

    async def close(self) -> None:
        """Close all connections."""
        await self._writer.dispose()
        await self._reader.dispose()

    async def prepare(self) -> None:
        """See that the tables are those of this release. Raises `StoreUnavailable`."""
        try:
            async with self.read() as connection:
                if await connection.run_sync(found_version) == SCHEMA_VERSION:
                    return
            await self._make_tables()
        except SchemaTooNew as error:
            raise StoreUnavailable(str(error)) from error

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection in a transaction. Raises `StoreUnavailable`, `WriteConflict`, `Refused`, `Taken`."""
        async with self._connection(self._writer) as connection:
            yield connection
            await connection.commit()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Give a reading connection. Raises `StoreUnavailable`."""
        async with self._connection(self._reader) as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Give a reading connection in a transaction. Raises `StoreUnavailable`."""
        async with self.read() as connection:
            yield await connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    async def _make_tables(self) -> None:
        engine = self._engine(None, poolclass=NullPool)
        try:
            async with asyncio.timeout(PREPARE_TIMEOUT), self._connection(engine) as connection:
                await connection.execute(
                    text("SELECT pg_advisory_xact_lock(:number)"), {"number": _PREPARING}
                )
                if not await connection.run_sync(create_or_keep):
                    await connection.run_sync(migrate)
                await connection.commit()
        except TimeoutError as error:
            raise StoreUnavailable("PostgreSQL took too long to make the tables") from error
        finally:
            await engine.dispose()

    @asynccontextmanager
    async def _connection(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        try:
            async with engine.connect() as connection:
                try:
                    yield connection
                except (*_AWAY, asyncio.CancelledError) as error:
                    # Nobody waits for an answer that may never come, and the next one may be another server's.
                    if not isinstance(_fault(error), Refused):
                        await connection.invalidate()
                    raise
        except _AWAY as error:
            raise _fault(error) from error

    def _engine(
        self, timeout: float | None, settings: Mapping[str, str] = _DEFAULTS, **options: object
    ) -> AsyncEngine:
        pool = {} if "poolclass" in options else {"max_overflow": 0, "pool_timeout": CONNECT_TIMEOUT}
        return create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self._connecting(timeout, settings),
            # A connection that the server has closed meanwhile is replaced before it is used.
            pool_pre_ping=True,
            hide_parameters=True,
            **pool,
            **options,
        )

    def _connecting(
        self, timeout: float | None, settings: Mapping[str, str]
    ) -> Callable[[], Awaitable[asyncpg.Connection]]:
        async def connect() -> asyncpg.Connection:
            # Read anew each time: a URL that stands in a file changes with its password.
            url = self._storage.reveal()
            if fault := fault_of(url):
                raise StoreUnavailable(f"`storage` {fault.message}; {fault.hint}")
            try:
                return await asyncpg.connect(
                    url,
                    timeout=CONNECT_TIMEOUT,
                    command_timeout=None if timeout is None else timeout + GRACE,
                    server_settings={**_settings(url, timeout), **settings},
                )
            except _ANSWERS as error:
                raise StoreUnavailable(_reason(error)) from error

        return connect


def _settings(url: str, timeout: float | None) -> Mapping[str, str]:
    name = {} if "application_name=" in url else {"application_name": "switchgear"}
    limit = str(0 if timeout is None else round(timeout * 1000))
    return {**name, "statement_timeout": limit, "idle_in_transaction_session_timeout": limit}


def _fault(error: BaseException) -> Exception:
    """Say what an error is for the store's users."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(cause, "sqlstate", None) or ""
    if state in _IN_THE_WAY:
        return WriteConflict(_reason(cause))
    if state == _CANCELED:
        return TookTooLong(_reason(cause))
    if state.startswith(_OF_RULES):
        return (Taken if state == _UNIQUE else Refused)(_reason(cause))
    driver_error = getattr(cause, "__cause__", None)
    if state.startswith(_OF_DATA) or isinstance(driver_error, asyncpg.DataError):
        # The server's own words may quote the data.
        return Refused(f"{type(driver_error).__name__} {state}".rstrip())
    return StoreUnavailable(_reason(cause))


def _reason(error: BaseException | None) -> str:
    if isinstance(error, TimeoutError):
        return "PostgreSQL does not answer in time"
    # Without DETAIL, which quotes rows.
    said = error.args[0] if error is not None and error.args and isinstance(error.args[0], str) else error
    if isinstance(error, FileNotFoundError):
        return "PostgreSQL: a file that `storage` names is not there: its socket, or one for TLS"
    if isinstance(error, OSError):
        said = error.strerror or error
    return f"PostgreSQL: {said}"
