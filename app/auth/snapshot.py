"""Stored keys in memory: a snapshot that follows the store, so that no request waits for a query."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from structlog.typing import FilteringBoundLogger

from app.auth.freshness import Freshness
from app.auth.keyring import KeyRing
from app.auth.principal import Principal
from app.store.keys import KeyStore, StoredKey

REFRESH = 0.5
"""Seconds between looks at the store: how soon a key made or revoked elsewhere counts here."""


class StoredKeys:
    """Keeps a key ring up to date with the store."""

    def __init__(
        self, store: KeyStore, ring: KeyRing, freshness: Freshness, log: FilteringBoundLogger
    ) -> None:
        self._store = store
        self._ring = ring
        self._freshness = freshness
        self._log = log
        self._token: int | None = None
        self._failing = False

    async def refresh(self) -> None:
        """Look once. Raises `StoreUnavailable`."""
        begun = self._freshness.now()
        token = await self._store.change_token()
        if token != self._token:
            self._ring.replace_stored(_by_digest(await self._store.list_keys()))
            self._token = token
        self._freshness.renew(begun)

    async def follow(self) -> None:
        """Look again and again until cancelled. While the store is away the last snapshot stands."""
        while True:
            await asyncio.sleep(REFRESH)
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001 - were this to end, revoked keys would stay valid
                if not self._failing:
                    self._log.error("stored_keys_stale", reason=str(error) or repr(error))
                self._failing = True
            else:
                if self._failing:
                    self._log.info("stored_keys_fresh")
                self._failing = False


def _by_digest(keys: list[StoredKey]) -> Mapping[str, Principal]:
    return {
        key.digest: Principal(key.name, tuple(key.models or ()), key.expires, metadata=dict(key.metadata))
        for key in keys
        if key.revoked is None
    }
