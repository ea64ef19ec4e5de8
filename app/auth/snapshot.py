"""Stored keys in memory: a snapshot that follows the store, so that no request waits for a query."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace

from structlog.typing import FilteringBoundLogger

from app.auth.directory import Directory
from app.auth.freshness import Freshness
from app.auth.key_settings import settings_of
from app.auth.keyring import KeyRing
from app.auth.principal import Principal
from app.store.keys import KeyStore, StoredKey

REFRESH = 0.5
"""Seconds between looks at the store: how soon a key made or revoked elsewhere counts here."""

Known = dict[int, tuple[StoredKey, Principal | None]]
"""Keys and who has them, by the keys' ids; nobody has one that is not taken."""
Greet = Callable[[Sequence[Principal]], Awaitable[None]]


class StoredKeys:
    """Keeps a key ring up to date with the store."""

    def __init__(
        self,
        store: KeyStore,
        ring: KeyRing,
        directory: Directory,
        freshness: Freshness,
        log: FilteringBoundLogger,
    ) -> None:
        self._store = store
        self._ring = ring
        self._directory = directory
        self._freshness = freshness
        self._log = log
        self._known: Known = {}
        self._token: int | None = None
        self._failing = False
        self._looking = asyncio.Lock()
        self.greeters: list[Greet] = []
        """Told who has a key before other keys are taken, so that their budgets are known by then."""

    async def refresh(self) -> None:
        """Look once. Raises `StoreUnavailable`."""
        # Of two looks at once, the one that saw less could come last.
        async with self._looking:
            begun = self._freshness.now()
            token = await self._store.change_token()
            if token != self._token:
                await self._replace()
                self._token = token
            self._freshness.renew(begun)

    def under(self, directory: Directory) -> list[Principal]:
        """Say who would have the keys in another directory."""
        found = (principal_of(key, directory) for key, _ in self._known.values())
        return [principal for principal in found if principal]

    def configure(self, directory: Directory) -> None:
        """Take another directory."""
        self._directory = directory
        keys, self._known = [key for key, _ in self._known.values()], {}
        self._known = self._renewed(keys)
        self._publish()

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

    async def _replace(self) -> None:
        keys = [key for key in await self._store.list_keys() if key.revoked is None]
        directory, known = self._directory, self._renewed(keys)
        for greet in self.greeters:
            await greet([principal for _, principal in known.values() if principal])
        # Another directory may have come meanwhile.
        self._known = known if directory is self._directory else self._renewed(keys)
        self._publish()

    def _renewed(self, keys: Sequence[StoredKey]) -> Known:
        """Say who has each key. One that is as it was keeps its principal, and with it what is remembered of its limits."""
        return {key.id: (key, self._principal(key)) for key in keys}

    def _principal(self, key: StoredKey) -> Principal | None:
        before, principal = self._known.get(key.id, (None, None))
        if before == key:
            return principal
        found = principal_of(key, self._directory)
        if found is None:
            self._log.warning("stored_key_not_taken", key=key.name)
        return found

    def _publish(self) -> None:
        found: dict[str, Principal] = {}
        for key, principal in self._known.values():
            if principal is not None:
                found.update(_digests(key, principal))
        self._ring.replace_stored(found)


def principal_of(key: StoredKey, directory: Directory) -> Principal | None:
    """Say who has a stored key; nobody where the directory does not take it, or its row was damaged."""
    try:
        return directory.of_stored(key.name, settings_of(key))
    except ValueError:
        return None


def _digests(key: StoredKey, principal: Principal) -> Iterator[tuple[str, Principal]]:
    yield key.digest, principal
    if key.previous is not None and key.previous_until is not None:
        ends = [each for each in (key.previous_until, principal.expires) if each is not None]
        yield key.previous, replace(principal, expires=min(ends))
