"""What people may ask of the credentials that are kept here: added, replaced, given other settings, removed, sealed anew.

Nothing here gives a credential back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from app.auth.upstream.sealing import NONCE_BYTES, Place, seal, unseal
from app.config.activation import KnownProvider
from app.config.credentials import fault_of
from app.config.encryption import usable
from app.config.loader import Loaded
from app.config.problems import did_you_mean
from app.errors import BadRequest, Conflict, NotFound
from app.store.audit import By
from app.store.credentials import CredentialStore, NewCredential, StoredCredential, TooMany
from providers.types import Json, Secret

LONGEST = 16 << 10
"""Characters of a credential: more fits into no header."""
TELLS_LITTLE = 16
"""Characters from which on a credential's last four are shown."""


@dataclass(frozen=True, slots=True)
class CredentialDesk:
    """Does what somebody asks of the credentials. All may raise `StoreUnavailable`."""

    store: CredentialStore
    loaded: Loaded
    by: By
    now: Callable[[], float]
    random: Callable[[int], bytes]
    """Gives that many bytes that nobody can guess."""

    async def add(self, provider: str, key: Secret, settings: Mapping[str, Json]) -> StoredCredential:
        """Add a credential with its `weight` and `models`. Raises `BadRequest`, `Conflict`, `NotFound`."""
        known = self._known(provider)
        text = self._checked(key)
        await self._refuse_doubled(known, text)
        new = NewCredential(provider=provider, hint=_hint(text), **settings)
        first = self._first_key()
        try:
            return await self.store.add(
                new, lambda row: self._sealed(text, Place(provider, row), first), self.now(), self.by
            )
        except TooMany as error:
            raise Conflict(f"{error}.") from None

    async def change(
        self, provider: str, id: int, key: Secret | None, settings: Mapping[str, Json]
    ) -> StoredCredential:
        """Replace a credential's text, or its `weight` or `models`. Raises `BadRequest`, `Conflict`, `NotFound`."""
        replaced: dict[str, Json] = dict(settings)
        if key is not None:
            text = self._checked(key)
            if known := self._known_ones().get(provider):
                await self._refuse_doubled(known, text)
            sealed = self._sealed(text, Place(provider, id), self._first_key())
            replaced |= {"sealed": sealed, "hint": _hint(text)}
        changed = await self.store.change(
            provider, id, lambda before: replace(before, **replaced), self.now(), self.by
        )
        return changed or _nothing(provider)

    async def remove(self, provider: str, id: int) -> StoredCredential:
        """Remove a credential for good. Raises `NotFound`."""
        return await self.store.remove(provider, id, self.now(), self.by) or _nothing(provider)

    async def of_provider(self, provider: str) -> list[StoredCredential]:
        """Give a provider's, those too that it has left behind. Raises `NotFound` where it is known to nobody."""
        found = await self.store.list_credentials(provider)
        if not found:
            self._known(provider)
        return found

    async def reseal(self) -> int:
        """Seal with the first key what another one has sealed, and give how many that were. Raises `Conflict`."""
        first, keys = self._first_key(), self._keys()

        def anew(row: StoredCredential) -> str | None:
            place = Place(row.provider, row.id)
            found = unseal(row.sealed, place, keys)
            return self._sealed(found.text, place, first) if found and found.key else None

        return await self.store.reseal(anew, self.now(), self.by)

    def opens(self, row: StoredCredential) -> bool:
        """Whether a key of the configuration opens it."""
        return unseal(row.sealed, Place(row.provider, row.id), self._keys()) is not None

    def _keys(self) -> tuple[bytes, ...]:
        return usable(self.loaded.config.encryption.keys)

    def _first_key(self) -> bytes:
        for key in self._keys():
            return key
        raise Conflict(
            "No credential is kept here without a key to seal it with: make one with "
            "`openssl rand -base64 32`, keep it where the database is not, and give it as `encryption.keys` "
            "in the configuration, or as SWITCHGEAR_ENCRYPTION__KEYS.",
            code="no_encryption_key",
        )

    def _sealed(self, text: str, place: Place, key: bytes) -> str:
        return seal(text, place, key, self.random(NONCE_BYTES))

    def _known_ones(self) -> Mapping[str, KnownProvider]:
        return {each.provider.name: each for each in self.loaded.known}

    def _known(self, provider: str) -> KnownProvider:
        known = self._known_ones()
        found = known.get(provider)
        if found is None:
            near = did_you_mean(provider, known)
            raise NotFound(f"There is no provider `{provider[:128]}` here{f'; {near}' if near else '.'}")
        if found.provider.transport == "embedded":
            raise Conflict(f"{provider} is asked without a credential.")
        if not found.takes_keys:
            auth = found.provider.auth
            raise Conflict(f"{provider} takes no keys: it has `auth: {auth}`. For keys, set `auth: key`.")
        if found.missing:
            wanted = ", ".join(found.missing)
            raise Conflict(f"{provider} needs more than a credential: set its options {wanted} first.")
        return found

    def _checked(self, key: Secret) -> str:
        text = key.reveal()
        if not text or len(text) > LONGEST:
            raise BadRequest(f"A credential has 1 to {LONGEST} characters.", param="key")
        if fault := fault_of(text, guards_us=False):
            message, hint = fault
            raise BadRequest(f"It cannot be used: {message}; {hint}.", param="key")
        return text

    async def _refuse_doubled(self, known: KnownProvider, text: str) -> None:
        if text in {*self._texts(known), *(await self._stored_texts(known.provider.name))}:
            raise Conflict(f"{known.provider.name} has this very credential already.")

    @staticmethod
    def _texts(known: KnownProvider) -> Iterator[str]:
        return (each.key.reveal() for each in known.provider.credentials)

    async def _stored_texts(self, provider: str) -> list[str]:
        keys = self._keys()
        rows = await self.store.list_credentials(provider)
        found = (unseal(row.sealed, Place(provider, row.id), keys) for row in rows)
        return [each.text for each in found if each]


def _hint(text: str) -> str:
    return text[-4:] if len(text) >= TELLS_LITTLE else ""


def _nothing(provider: str) -> StoredCredential:
    raise NotFound(f"{provider[:128]} has no such credential in the database.")
