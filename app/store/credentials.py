"""Providers' credentials, as they are sealed: added, listed, changed, removed. The key that opens them is never here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec
from sqlalchemy import ColumnElement, RowMapping, Update, and_, delete, func, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.audit import PROCESS, By, Change, write_change
from app.store.database import Database
from app.store.schema import changes, credentials
from providers.types import Json

MOST = 100
"""Credentials of one provider: every look at them reads all."""
Seal = Callable[[int], str]
"""Gives what is to be stored in the row of an id."""


class TooMany(Exception):
    """A provider has as many credentials as it may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCredential:
    """A credential to be stored."""

    provider: str
    hint: str
    """Its last four characters, or nothing where they would tell too much."""
    weight: int = 1
    models: Sequence[str] = ()
    """Patterns of the models that it may be used for; none means all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCredential(NewCredential):
    """A credential as it stands in the database. Times in Unix seconds."""

    id: int
    sealed: str = field(repr=False)
    created: float
    created_by: str
    changed: float
    """When it was last replaced or given other settings."""


class CredentialStore:
    """The `credentials` table. Whatever changes it writes a row of `audit` with it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, new: NewCredential, seal: Seal, now: float, by: By = PROCESS) -> StoredCredential:
        """Store a credential. Raises `TooMany`, `StoreUnavailable`."""
        async with self._database.write() as connection:
            of_provider = select(func.count()).where(credentials.c.provider == new.provider)
            if (await connection.execute(of_provider)).scalar_one() >= MOST:
                raise TooMany(f"{new.provider} has {MOST} credentials already")
            row = {
                **_columns({name: getattr(new, name) for name in NewCredential.__dataclass_fields__}),
                "sealed": "",
                "created": now,
                "created_by": by.actor[:256],
                "changed": now,
            }
            added = await connection.execute(insert(credentials).values(row).returning(credentials))
            made = _stored(added.mappings().one())
            made = replace(made, sealed=seal(made.id))
            await connection.execute(_update(made))
            await _tell(connection, Change("credential.add", _target(made), None, _told(made)), by, now)
        return made

    async def list_credentials(self, provider: str | None = None) -> list[StoredCredential]:
        """Give all, or those of a provider, in the order of their making. Raises `StoreUnavailable`."""
        where = true() if provider is None else credentials.c.provider == provider
        async with self._database.read() as connection:
            found = await connection.execute(select(credentials).where(where).order_by(credentials.c.id))
            return [_stored(row) for row in found.mappings()]

    async def change(
        self,
        provider: str,
        id: int,
        change: Callable[[StoredCredential], StoredCredential],
        now: float,
        by: By = PROCESS,
    ) -> StoredCredential | None:
        """Change a credential by a function of what it is; None if there is none. Raises `StoreUnavailable`."""
        async with self._database.write() as connection:
            before = await _find(connection, _which(provider, id))
            if before is None:
                return None
            after = replace(change(before), changed=now)
            await connection.execute(_update(after))
            action = "credential.update" if after.sealed == before.sealed else "credential.rotate"
            await _tell(connection, Change(action, _target(after), _told(before), _told(after)), by, now)
        return after

    async def remove(self, provider: str, id: int, now: float, by: By = PROCESS) -> StoredCredential | None:
        """Remove a credential for good, and give what it was; None if there is none. Raises `StoreUnavailable`."""
        async with self._database.write() as connection:
            before = await _find(connection, _which(provider, id))
            if before is None:
                return None
            await connection.execute(delete(credentials).where(credentials.c.id == id))
            await _tell(connection, Change("credential.remove", _target(before), _told(before)), by, now)
        return before

    async def reseal(
        self, seal: Callable[[StoredCredential], str | None], now: float, by: By = PROCESS
    ) -> int:
        """Give rows what the function says is to be stored, but where it says nothing; give their number.

        All of them or none. Raises `StoreUnavailable`.
        """
        async with self._database.write() as connection:
            found = await connection.execute(select(credentials).with_for_update())
            rows = [_stored(row) for row in found.mappings()]
            sealed = [replace(row, sealed=text) for row in rows if (text := seal(row)) is not None]
            for row in sealed:
                await connection.execute(_update(row))
            if sealed:
                change = Change(
                    "credential.reseal", "credentials", after={"rows": [row.id for row in sealed]}
                )
                await _tell(connection, change, by, now)
        return len(sealed)

    async def change_token(self) -> int:
        """Give a number that is another one whenever a credential was added, changed or removed, by any process.

        Raises `StoreUnavailable`.
        """
        wanted = select(changes.c.count).where(changes.c.subject == credentials.name)
        async with self._database.read() as connection:
            return (await connection.execute(wanted)).scalar() or 0


def by_provider(rows: Iterable[StoredCredential]) -> Mapping[str, list[StoredCredential]]:
    """Give credentials by their providers, in their order."""
    found: dict[str, list[StoredCredential]] = {}
    for row in rows:
        found.setdefault(row.provider, []).append(row)
    return found


async def _find(connection: AsyncConnection, where: ColumnElement[bool]) -> StoredCredential | None:
    found = await connection.execute(select(credentials).where(where).with_for_update())
    row = found.mappings().one_or_none()
    return None if row is None else _stored(row)


async def _tell(connection: AsyncConnection, change: Change, by: By, now: float) -> None:
    """Count the change, so that pollers see it, and write who made it."""
    counted = update(changes).where(changes.c.subject == credentials.name).values(count=changes.c.count + 1)
    await connection.execute(counted)
    await write_change(connection, change, by, now)


def _update(row: StoredCredential) -> Update:
    fields = {name: getattr(row, name) for name in StoredCredential.__dataclass_fields__}
    return update(credentials).where(credentials.c.id == row.id).values(_columns(fields))


def _which(provider: str, id: int) -> ColumnElement[bool]:
    return and_(credentials.c.provider == provider, credentials.c.id == id)


def _target(row: StoredCredential) -> str:
    return f"credential:{row.provider}/{row.id}"


def _told(row: StoredCredential) -> Mapping[str, Json]:
    return {"hint": row.hint, "weight": row.weight, "models": list(row.models)}


def _columns(fields: Mapping[str, Json]) -> dict[str, Json]:
    return {**fields, "models": msgspec.json.encode(fields["models"]).decode()}


def _stored(row: RowMapping) -> StoredCredential:
    return StoredCredential(**{**row, "models": msgspec.json.decode(row["models"])})
