"""What the database holds that the looks need, read at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.cli.database import database_of, exists
from app.config.storage import Storage
from app.store.calls import CallStore
from app.store.credentials import CredentialStore, StoredCredential
from app.store.database import StoreUnavailable
from app.store.keys import KeyStore, StoredKey


@dataclass(frozen=True, slots=True)
class Contents:
    """What was read, nothing where there is no database, or why it cannot be read."""

    keys: Sequence[StoredKey] = ()
    offsets: Mapping[str, int] = field(default_factory=dict)
    """Spool file → bytes of it that are in the database."""
    credentials: Sequence[StoredCredential] = ()
    trouble: str | None = None

    @property
    def live_keys(self) -> int:
        """How many keys are not revoked."""
        return sum(1 for key in self.keys if key.revoked is None)


async def read_contents(storage: Storage, spool_files: Sequence[str]) -> Contents:
    """Read the database, if there is one. Total."""
    if not exists(storage):
        return Contents()
    try:
        async with database_of(storage) as database:
            calls = CallStore(database)
            offsets = {name: await calls.spool_offset(name) for name in spool_files}
            keys = await KeyStore(database).list_keys()
            return Contents(keys, offsets, await CredentialStore(database).list_credentials())
    except StoreUnavailable as error:
        return Contents(trouble=str(error))
