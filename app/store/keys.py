"""Clients' keys: made, listed, revoked. The key itself is never stored."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import ColumnElement, RowMapping, and_, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.database import Database, Taken
from app.store.schema import changes, keys
from providers.types import Json

NAME_LIMIT = 128
"""Characters of a key's name."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey(NewKey):
    """A key as it stands in the database. Times in Unix seconds."""

    id: int
    created: float
    revoked: float | None = None


class KeyStore:
    """The `keys` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_key(self, key: NewKey, now: float) -> StoredKey:
        """Store a key. Raises `ValueError` for a wrong field, `KeyConflict`, `StoreUnavailable`."""
        _check(key)
        row = {
            "name": key.name,
            "digest": key.digest,
            "hint": key.hint,
            "models": _text(key.models),
            "created": now,
            "expires": key.expires,
            "metadata": _text(key.metadata),
        }
        try:
            async with self._database.write() as connection:
                taken = await connection.execute(select(keys.c.id).where(_live(keys.c.name == key.name)))
                if taken.first():
                    raise KeyConflict(
                        f"a key named {key.name!r} exists: choose another name, or revoke it first"
                    )
                stored = await connection.execute(insert(keys).values(row).returning(keys))
                made = _stored(stored.mappings().one())
                await _count_change(connection)
        except Taken as error:
            raise KeyConflict("this key is stored already, perhaps revoked: make a new one") from error
        return made

    async def list_keys(self) -> list[StoredKey]:
        """Give all keys, revoked ones too, in the order of their making. Raises `StoreUnavailable`."""
        async with self._database.read() as connection:
            found = await connection.execute(select(keys).order_by(keys.c.id))
            return [_stored(row) for row in found.mappings()]

    async def revoke_key(self, key: str | int, now: float) -> StoredKey | None:
        """Revoke the live key of this name (text) or id (number); None if there is none. Raises `StoreUnavailable`."""
        which = keys.c.name == key if isinstance(key, str) else keys.c.id == key
        async with self._database.write() as connection:
            found = await connection.execute(
                update(keys).where(_live(which)).values(revoked=now).returning(keys)
            )
            row = found.mappings().one_or_none()
            if row is None:
                return None
            await _count_change(connection)
        return _stored(row)

    async def change_token(self) -> int:
        """Give a number that is another one whenever a key was made or revoked, by any process.

        Raises `StoreUnavailable`.
        """
        async with self._database.read() as connection:
            found = await connection.execute(select(changes.c.count).where(changes.c.subject == keys.name))
            return found.scalar() or 0


async def _count_change(connection: AsyncConnection) -> None:
    counted = update(changes).where(changes.c.subject == keys.name).values(count=changes.c.count + 1)
    await connection.execute(counted)


def _live(which: ColumnElement[bool]) -> ColumnElement[bool]:
    return and_(which, keys.c.revoked.is_(None))


def _check(key: NewKey) -> None:
    if not 1 <= len(key.name) <= NAME_LIMIT or not key.name.isprintable():
        raise ValueError(f"a key's name is 1 to {NAME_LIMIT} printable characters")
    if not _SHA256.fullmatch(key.digest):
        raise ValueError("a key's digest is SHA-256 in lower-case hex: 64 characters")
    if len(key.hint) > 4:
        raise ValueError("a key's hint is its last 4 characters and no more")


def _text(value: Json) -> str:
    return msgspec.json.encode(value).decode()


def _stored(row: RowMapping) -> StoredKey:
    fields = dict(row)
    fields["models"] = msgspec.json.decode(fields["models"])
    fields["metadata"] = msgspec.json.decode(fields["metadata"])
    return StoredKey(**fields)
