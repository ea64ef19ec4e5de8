"""What each kind of database does in its own way: connect, take turns, get its tables, tell what went wrong."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

READ_TIMEOUT = 2.0
"""Seconds that a report may take beside calls: what the database does for it, it does for nobody else."""


class StoreUnavailable(Exception):
    """The database cannot be used now: away, locked, full, read-only, damaged, too new. Try again later."""


class WriteConflict(StoreUnavailable):
    """Another transaction was in the way, and nothing was written. Try again at once."""


class TookTooLong(StoreUnavailable):
    """A report was ended: it asks for more than can be added up in the time there is."""


class Refused(Exception):
    """The database will never take this data: it breaks a rule of its tables. The text tells the rule, not the data."""


class Taken(Refused):
    """What may be there once is there already."""


class Driver(Protocol):
    """A kind of database. Its connections raise `StoreUnavailable`, and `Refused` where data is at fault."""

    async def prepare(self) -> None:
        """See that the tables are those of this release. Several processes may do it at once."""
        ...

    def write(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Give a connection in a transaction that commits at the end of the block."""
        ...

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Give a reading connection."""
        ...

    def snapshot(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Give a reading connection that sees one moment of the database."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...
