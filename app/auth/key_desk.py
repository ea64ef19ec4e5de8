"""Keys of the database made and changed: within what the one who does it has, by one way for all who do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from app.auth.delegation import excess, rights_of
from app.auth.directory import Directory
from app.auth.key_settings import settings_of
from app.auth.making import carrying, make_key, rotated
from app.auth.roles import Authority
from app.config.identities import KeySettings
from app.config.models import Config
from app.errors import BadRequest, Conflict, NotFound, PermissionDenied
from app.store.audit import By
from app.store.keys import KeyConflict, KeyStore, StoredKey
from providers.types import Json

RESERVED = "master"
"""What calls with the master key are told of as."""
LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
"""Unix seconds. In UTC, what comes after may have no date."""


@dataclass(frozen=True, slots=True)
class KeyDesk:
    """Does what somebody asks of the keys. All may raise `StoreUnavailable`."""

    store: KeyStore
    config: Config
    authority: Authority
    by: By
    now: Callable[[], float]

    async def create(self, name: str, settings: KeySettings) -> tuple[str, StoredKey]:
        """Make a key, and give it. Raises `BadRequest`, `Conflict`, `PermissionDenied`."""
        if name in {RESERVED, *(key.name for key in self.config.auth.keys)}:
            raise Conflict(f"The name `{name}` belongs to a key of the configuration: choose another one.")
        key, new = make_key(name, self._checked(name, settings))
        try:
            return key, await self.store.create_key(new, self.now(), self.by)
        except KeyConflict as error:
            raise Conflict(f"{error}.") from None
        except ValueError as error:
            raise BadRequest(f"{error}.") from None

    async def update(self, key: str | int, changes: Mapping[str, Json]) -> StoredKey:
        """Replace some settings of a live key. Raises `BadRequest`, `NotFound`, `PermissionDenied`."""

        def change(live: StoredKey) -> StoredKey:
            wanted = settings_of(live).model_copy(update=dict(changes))
            if "user" in changes and "team" not in changes:
                wanted = wanted.model_copy(update={"team": None})
            return carrying(live, self._checked(live.name, wanted))

        return await self._change(key, change, "key.update")

    async def rotate(self, key: str | int, grace: float) -> tuple[str, StoredKey]:
        """Replace a live key, and give the new one; the old one is valid for `grace` seconds more.

        Raises `NotFound`, `PermissionDenied`.
        """
        made: list[str] = []

        def change(live: StoredKey) -> StoredKey:
            # Who gets the new key gets all that it may.
            self._checked(live.name, settings_of(live))
            new, after = rotated(live, self.now(), grace)
            made.append(new)
            return after

        stored = await self._change(key, change, "key.rotate")
        return made[-1], stored

    async def revoke(self, key: str | int) -> StoredKey:
        """Revoke a live key for good. Raises `NotFound`."""
        revoked = await self.store.revoke_key(key, self.now(), self.by, self.authority.team)
        return revoked or _nothing()

    async def find(self, key: str | int) -> StoredKey:
        """Give a key. Raises `NotFound`."""
        return await self.store.find_key(key, self.authority.team) or _nothing()

    async def _change(
        self, key: str | int, change: Callable[[StoredKey], StoredKey], action: str
    ) -> StoredKey:
        team = self.authority.team
        changed = await self.store.change_key(key, change, self.now(), self.by, action=action, team=team)
        return changed or _nothing()

    def _checked(self, name: str, settings: KeySettings) -> KeySettings:
        directory = Directory(self.config)
        if settings.expires and settings.expires.timestamp() > LATEST:
            raise BadRequest("The key's `expires` leads out of the calendar.", param="expires")
        settings = self._in_its_team(directory, settings)
        caller = directory.of_stored(name, settings)
        if caller is None:
            raise BadRequest(f"The user `{settings.user}` is disabled.", param="user")
        creator = rights_of(self.authority.principal, self.config)
        if what := excess(creator, rights_of(caller, self.config)):
            raise PermissionDenied(f"The key's `{what}` would go beyond what you have yourself.")
        if self.authority.team not in (None, caller.team):
            raise PermissionDenied("The key's `team` would be another one than yours.")
        return settings

    def _in_its_team(self, directory: Directory, settings: KeySettings) -> KeySettings:
        if missing := directory.missing(settings):
            raise BadRequest(f"The configuration has no {missing}.", param=missing.partition(" ")[0])
        user = self.config.users.get(settings.user or "")
        if user and user.team and settings.team not in (None, user.team):
            raise BadRequest(f"The user `{settings.user}` is in the team `{user.team}`.", param="team")
        # Whose key it is must not change with the configuration, so its team stands with it.
        team = directory.team_of(settings) or self.authority.team or self.authority.principal.team
        return settings.model_copy(update={"team": team})


def _nothing() -> StoredKey:
    raise NotFound("There is no such live key.")
