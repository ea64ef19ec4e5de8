"""Clients' keys: made, listed, changed, rotated, revoked. The key itself is never stored."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec
from sqlalchemy import ColumnElement, RowMapping, and_, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.audit import PROCESS, By, Change, write_change
from app.store.database import Database, Taken
from app.store.schema import changes, keys
from providers.types import Json

NAME_LIMIT = 128
"""Characters of a key's name."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_JSON = ("models", "metadata", "regions", "limits", "budget", "roles")
_TOLD = (
    *("name", "hint", "models", "regions", "user", "team", "plan", "priority", "limits", "budget", "roles"),
    *("metadata", "expires", "previous_until", "revoked"),
)
"""What the audit log tells of a key."""


class KeyConflict(Exception):
    """A live key has this name already, or this very key is stored already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key to be stored. `expires` in Unix seconds."""

    name: str
    digest: str = field(repr=False)
    """SHA-256 of the key, in lower-case hex."""
    hint: str
    """Its last four characters, by which its owner knows it."""
    models: Sequence[str] | None = None
    """Names that it may use. None: all."""
    expires: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    team: str | None = None
    plan: str | None = None
    priority: str | None = None
    regions: Sequence[str] | None = None
    limits: Mapping[str, int] | None = None
    """Kind → capacity."""
    budget: Sequence[Mapping[str, Json]] | None = None
    """As the configuration writes budgets, in JSON."""
    roles: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey(NewKey):
    """A key as it stands in the database. Times in Unix seconds."""

    id: int
    created: float
    revoked: float | None = None
    previous: str | None = field(default=None, repr=False)
    """Digest of the key that it had before its last rotation."""
    previous_until: float | None = None
    """When that one stops working."""


class KeyStore:
    """The `keys` table. Whatever changes it writes a row of `audit` with it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_key(self, key: NewKey, now: float, by: By = PROCESS) -> StoredKey:
        """Store a key. Raises `ValueError` for a wrong field, `KeyConflict`, `StoreUnavailable`."""
        _check(key)
        row = {name: getattr(key, name) for name in NewKey.__dataclass_fields__}
        try:
            async with self._database.write() as connection:
                await _refuse_taken(connection, key.name)
                stored = await connection.execute(
                    insert(keys).values({**_columns(row), "created": now}).returning(keys)
                )
                made = _stored(stored.mappings().one())
                await _tell(connection, "key.create", None, made, by, now)
        except Taken as error:
            raise KeyConflict("this key is stored already, perhaps revoked: make a new one") from error
        return made

    async def list_keys(self) -> list[StoredKey]:
        """Give all keys, revoked ones too, in the order of their making. Raises `StoreUnavailable`."""
        return await self._select(true(), None)

    async def page_of_keys(
        self, limit: int, after: int = 0, team: str | None = None, name: str | None = None
    ) -> list[StoredKey]:
        """Give keys with ids above one, in their order: of a team, of a name, or all. Raises `StoreUnavailable`."""
        where = and_(keys.c.id > after, _of_team(team), true() if name is None else keys.c.name == name)
        return await self._select(where, limit)

    async def find_key(self, key: str | int, team: str | None = None) -> StoredKey | None:
        """Give the live key of this name (text), or the one of this id (number). Raises `StoreUnavailable`."""
        where = _live(_which(key)) if isinstance(key, str) else _which(key)
        return next(iter(await self._select(and_(where, _of_team(team)), 1)), None)

    async def change_key(
        self,
        key: str | int,
        change: Callable[[StoredKey], StoredKey],
        now: float,
        by: By = PROCESS,
        *,
        action: str = "key.update",
        team: str | None = None,
    ) -> StoredKey | None:
        """Change the live key of this name (text) or id (number) by a function of what it is; None if there is none.

        What the function raises leaves everything as it was. Raises `ValueError`, `KeyConflict`, `StoreUnavailable`.
        """
        where = and_(_live(_which(key)), _of_team(team))
        try:
            async with self._database.write() as connection:
                found = await connection.execute(select(keys).where(where).with_for_update())
                row = found.mappings().one_or_none()
                if row is None:
                    return None
                before = _stored(row)
                after = change(before)
                _check(after)
                if after.name != before.name:
                    await _refuse_taken(connection, after.name)
                fields = {name: getattr(after, name) for name in StoredKey.__dataclass_fields__}
                await connection.execute(update(keys).where(keys.c.id == before.id).values(_columns(fields)))
                await _tell(connection, action, before, after, by, now)
        except Taken as error:
            raise KeyConflict("a live key has this name, or this very key, already") from error
        return after

    async def revoke_key(
        self, key: str | int, now: float, by: By = PROCESS, team: str | None = None
    ) -> StoredKey | None:
        """Revoke the live key of this name (text) or id (number); None if there is none. Raises `StoreUnavailable`."""
        return await self.change_key(
            key, lambda live: replace(live, revoked=now), now, by, action="key.revoke", team=team
        )

    async def change_token(self) -> int:
        """Give a number that is another one whenever a key was made or changed, by any process.

        Raises `StoreUnavailable`.
        """
        async with self._database.read() as connection:
            found = await connection.execute(select(changes.c.count).where(changes.c.subject == keys.name))
            return found.scalar() or 0

    async def _select(self, where: ColumnElement[bool], limit: int | None) -> list[StoredKey]:
        async with self._database.read() as connection:
            found = await connection.execute(select(keys).where(where).order_by(keys.c.id).limit(limit))
            return [_stored(row) for row in found.mappings()]


async def _tell(
    connection: AsyncConnection, action: str, before: StoredKey | None, after: StoredKey, by: By, now: float
) -> None:
    """Count the change, so that pollers see it, and write who made it."""
    counted = update(changes).where(changes.c.subject == keys.name).values(count=changes.c.count + 1)
    await connection.execute(counted)
    change = Change(action, f"key:{after.name}", _told(before) if before else None, _told(after))
    await write_change(connection, change, by, now)


async def _refuse_taken(connection: AsyncConnection, name: str) -> None:
    taken = await connection.execute(select(keys.c.id).where(_live(keys.c.name == name)))
    if taken.first():
        raise KeyConflict(f"a key named {name!r} exists: choose another name, or revoke it first")


def _told(key: StoredKey) -> Mapping[str, Json]:
    return {name: value for name in _TOLD if (value := getattr(key, name)) not in (None, [], {})}


def _which(key: str | int) -> ColumnElement[bool]:
    return keys.c.name == key if isinstance(key, str) else keys.c.id == key


def _of_team(team: str | None) -> ColumnElement[bool]:
    return true() if team is None else keys.c.team == team


def _live(which: ColumnElement[bool]) -> ColumnElement[bool]:
    return and_(which, keys.c.revoked.is_(None))


def _check(key: NewKey) -> None:
    if not 1 <= len(key.name) <= NAME_LIMIT or not key.name.isprintable():
        raise ValueError(f"a key's name is 1 to {NAME_LIMIT} printable characters")
    if not _SHA256.fullmatch(key.digest):
        raise ValueError("a key's digest is SHA-256 in lower-case hex: 64 characters")
    if len(key.hint) > 4:
        raise ValueError("a key's hint is its last 4 characters and no more")


def _columns(fields: Mapping[str, Json]) -> dict[str, Json]:
    return {**fields, **{name: msgspec.json.encode(fields[name]).decode() for name in _JSON}}


def _stored(row: RowMapping) -> StoredKey:
    fields = dict(row)
    for name in _JSON:
        fields[name] = None if fields[name] is None else msgspec.json.decode(fields[name])
    return StoredKey(**fields)
