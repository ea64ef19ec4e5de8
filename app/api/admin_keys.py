"""`/admin/v1/keys`: keys of the database made, read, changed, rotated and revoked."""

# No `from __future__ import annotations`: FastAPI reads the annotations of the nested routes as values.
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field
from structlog.typing import FilteringBoundLogger

from app.api.admin_pages import LONGEST_ID, After, Limit, Word
from app.api.admin_route import admitted, needs
from app.api.levels_shown import BudgetShown
from app.auth.key_desk import KeyDesk
from app.auth.roles import Permission
from app.auth.snapshot import StoredKeys
from app.config.identities import KeySettings
from app.config.scalars import Duration, Text
from app.config.section import Section
from app.store.database import StoreUnavailable
from app.store.keys import KeyStore, StoredKey
from app.telemetry.clock import Clock

GRACE = 3600.0
"""Seconds for which a rotated key's old one is valid, unless the request says."""
LONGEST_GRACE = 30 * 86_400.0

KeyId = Annotated[int, Path(ge=1, le=LONGEST_ID)]


class KeyShown(BaseModel):
    """What there is to tell of a key. Never the key."""

    id: int
    name: str
    hint: str
    """Its last four characters."""
    state: str
    """`live`, `expired` or `revoked`."""
    user: str | None
    team: str | None
    plan: str | None
    priority: str | None
    models: list[str]
    """Empty: all that the levels above allow."""
    regions: list[str]
    limits: dict[str, int]
    budget: list[BudgetShown]
    roles: list[str]
    metadata: dict[str, str]
    created: float
    """Unix seconds, as all times here."""
    expires: float | None
    revoked: float | None
    previous_until: float | None
    """When the key that it had before its last rotation stops working."""


class KeyMade(KeyShown):
    """A new key. It is shown this once."""

    key: str


class KeyPage(BaseModel):
    """Keys in the order of their making."""

    object: str = "list"
    data: list[KeyShown]
    next: int | None
    """What `after` takes for the next page; null on the last one."""


class KeyToMake(KeySettings):
    """A key to be made."""

    name: Text
    """What logs and reports call it. No other live key has it."""


class Rotation(Section):
    """How a key is rotated."""

    grace: Annotated[Duration, Field(le=LONGEST_GRACE)] = GRACE
    """How long the old key stays valid, 30 days at most; `0s`: it stops at once."""


@dataclass(frozen=True, slots=True)
class KeyRooms:
    """What the routes need."""

    store: KeyStore
    stored: StoredKeys
    clock: Clock
    log: FilteringBoundLogger


def add_keys(router: APIRouter, rooms: KeyRooms) -> None:
    """Add the routes."""
    _add_reading(router, rooms)
    _add_changing(router, rooms)


def _add_reading(router: APIRouter, rooms: KeyRooms) -> None:
    show = _showing(rooms.clock.wall)

    @router.get("/keys", openapi_extra=needs(Permission.READ_KEYS))
    async def list_keys(
        request: Request, limit: Limit = 50, after: After = 0, name: Word | None = None
    ) -> KeyPage:
        team = admitted(request).authority.team
        found = await rooms.store.page_of_keys(limit + 1, after, team, name)
        more = found[limit - 1].id if len(found) > limit else None
        return KeyPage(data=[KeyShown(**show(key)) for key in found[:limit]], next=more)

    @router.get("/keys/{key}", openapi_extra=needs(Permission.READ_KEYS))
    async def show_key(request: Request, key: KeyId) -> KeyShown:
        return KeyShown(**show(await _desk(rooms, request).find(key)))


def _add_changing(router: APIRouter, rooms: KeyRooms) -> None:
    show = _showing(rooms.clock.wall)

    @router.post("/keys", status_code=201, openapi_extra=needs(Permission.WRITE_KEYS))
    async def create_key(request: Request, wanted: KeyToMake) -> KeyMade:
        settings = KeySettings.model_construct(
            **{field: getattr(wanted, field) for field in KeySettings.model_fields}
        )
        key, made = await _desk(rooms, request).create(wanted.name, settings)
        await _take(rooms)
        return KeyMade(**show(made), key=key)

    @router.patch("/keys/{key}", openapi_extra=needs(Permission.WRITE_KEYS))
    async def update_key(request: Request, key: KeyId, wanted: KeySettings) -> KeyShown:
        changes = {field: getattr(wanted, field) for field in wanted.model_fields_set}
        changed = await _desk(rooms, request).update(key, changes)
        await _take(rooms)
        return KeyShown(**show(changed))

    @router.post("/keys/{key}/rotate", openapi_extra=needs(Permission.WRITE_KEYS))
    async def rotate_key(request: Request, key: KeyId, how: Rotation | None = None) -> KeyMade:
        new, changed = await _desk(rooms, request).rotate(key, (how or Rotation()).grace)
        await _take(rooms)
        return KeyMade(**show(changed), key=new)

    @router.post("/keys/{key}/revoke", openapi_extra=needs(Permission.WRITE_KEYS))
    async def revoke_key(request: Request, key: KeyId) -> KeyShown:
        revoked = await _desk(rooms, request).revoke(key)
        await _take(rooms)
        return KeyShown(**show(revoked))


def _desk(rooms: KeyRooms, request: Request) -> KeyDesk:
    who = admitted(request)
    return KeyDesk(rooms.store, who.config, who.authority, who.by, rooms.clock.wall)


async def _take(rooms: KeyRooms) -> None:
    """Have the change hold here at once; elsewhere, and if this fails, within a second."""
    try:
        await rooms.stored.refresh()
    except StoreUnavailable as error:
        rooms.log.warning("stored_keys_stale", reason=str(error))


def _showing(now: Callable[[], float]) -> Callable[[StoredKey], Mapping[str, Any]]:
    def show(key: StoredKey) -> Mapping[str, Any]:
        told = {name: getattr(key, name) for name in KeyShown.model_fields if name != "state"}
        listed = {name: told[name] or [] for name in ("models", "regions", "budget", "roles")}
        return {**told, **listed, "limits": key.limits or {}, "state": state_of(key, now())}

    return show


def state_of(key: StoredKey, now: float) -> str:
    """Say whether a key is `live`, `expired` or `revoked`."""
    if key.revoked is not None:
        return "revoked"
    return "expired" if key.expires is not None and key.expires <= now else "live"
