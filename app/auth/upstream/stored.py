"""Credentials of the database in memory: they follow the store, and join those of the configuration."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import count

from structlog.typing import FilteringBoundLogger

from app.auth.upstream.sealing import Place, unseal
from app.config.activation import ProviderCredential
from app.config.encryption import usable
from app.config.loader import Loaded
from app.store.credentials import CredentialStore, StoredCredential, by_provider
from providers.types import Secret

REFRESH = 0.5
"""Seconds between looks at the store: how soon a credential that was changed elsewhere counts here."""
SELDOM = 60
"""Of so many looks one is made where nothing was given to open credentials with: others may keep some here."""


class StoredCredentials:
    """Knows the credentials of the database, sealed, and opens them for a configuration."""

    def __init__(self, store: CredentialStore, log: FilteringBoundLogger) -> None:
        self._store = store
        self._log = log
        self._rows: Sequence[StoredCredential] = ()
        self._token: int | None = None
        self._failing = False
        self._looking = asyncio.Lock()
        self._told: frozenset[int] = frozenset()
        self.unopened: frozenset[int] = frozenset()
        """Ids of those that no key of the configuration at work opens."""
        self.has_keys = False
        """Whether that configuration has any key."""
        self.followers: list[Callable[[], Awaitable[None]]] = []
        """Called when there are other credentials than before. What one raises has it called again at the next look."""

    async def refresh(self) -> None:
        """Look once. Raises `StoreUnavailable`."""
        async with self._looking:
            token = await self._store.change_token()
            if token == self._token:
                return
            self._rows = await self._store.list_credentials()
            for follow in self.followers:
                await follow()
            self._token = token

    def over(self, loaded: Loaded) -> Loaded:
        """Give a configuration with the credentials that its keys open."""
        keys = usable(loaded.config.encryption.keys)
        stored = opened(self._rows, keys)
        used = {each.stored for credentials in stored.values() for each in credentials}
        self.has_keys = bool(keys)
        self.unopened = frozenset(row.id for row in self._rows if row.id not in used)
        self._tell()
        return loaded.with_credentials(stored)

    async def follow(self) -> None:
        """Look again and again until cancelled. While the store is away what is known goes on."""
        for look in count(1):
            await asyncio.sleep(REFRESH)
            if look % SELDOM and not (self.has_keys or self._rows or self._token is None):
                continue
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001 - were this to end, removed credentials would stay in use
                if not self._failing:
                    self._log.error("stored_credentials_stale", reason=str(error) or repr(error))
                self._failing = True
            else:
                if self._failing:
                    self._log.info("stored_credentials_fresh")
                self._failing = False

    def _tell(self) -> None:
        for row in self._rows:
            if row.id in self.unopened - self._told:
                self._log.error("stored_credential_not_opened", provider=row.provider, id=row.id)
        self._told = self.unopened


def opened(rows: Sequence[StoredCredential], keys: Sequence[bytes]) -> Mapping[str, list[ProviderCredential]]:
    """Give those that one of the keys opens, by provider."""
    found = {
        provider: [credential for row in of_provider if (credential := _opened(row, keys))]
        for provider, of_provider in by_provider(rows).items()
    }
    return {provider: credentials for provider, credentials in found.items() if credentials}


def _opened(row: StoredCredential, keys: Sequence[bytes]) -> ProviderCredential | None:
    found = unseal(row.sealed, Place(row.provider, row.id), keys)
    if found is None:
        return None
    return ProviderCredential(Secret(found.text), weight=row.weight, models=tuple(row.models), stored=row.id)
