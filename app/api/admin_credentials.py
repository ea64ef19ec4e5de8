"""`/admin/v1/providers/NAME/credentials`: providers' credentials of the database. None of them is ever given back."""

# No `from __future__ import annotations`: FastAPI reads the annotations of the nested routes as values.
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field, PlainValidator, WithJsonSchema
from structlog.typing import FilteringBoundLogger

from app.api.admin_pages import LONGEST_ID
from app.api.admin_route import admitted, needs
from app.api.taking import taking
from app.auth.roles import Permission
from app.auth.upstream.desk import LONGEST, CredentialDesk
from app.auth.upstream.stored import StoredCredentials
from app.config.loader import Loaded
from app.config.scalars import Count, Listing, Text, refuse
from app.config.section import Section
from app.store.credentials import CredentialStore, StoredCredential
from app.telemetry.clock import Clock
from app.workers.fellows import Fellows
from providers.types import Secret

HEAVIEST = 1_000_000
"""A weight; shares are sums of them."""
ROUTE = "/providers/{name}/credentials"

Name = Annotated[str, Path(max_length=128, pattern=r"^[^\x00]*$")]
CredentialId = Annotated[int, Path(ge=1, le=LONGEST_ID)]


def _secret(value: object) -> Secret:
    return Secret(value) if isinstance(value, str) else refuse("must be a text", "the credential itself")


SentSecret = Annotated[
    Secret,
    PlainValidator(_secret),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": LONGEST, "writeOnly": True}),
]
"""A secret that a request brings. It cannot name a file."""
Weight = Annotated[Count, Field(le=HEAVIEST)]
Patterns = Annotated[Listing[Text], Field(max_length=1000)]


class CredentialShown(BaseModel):
    """What there is to tell of a credential. Never the credential."""

    id: int
    provider: str
    hint: str
    """Its last four characters; empty where it is so short that they would tell too much."""
    weight: int
    models: list[str]
    """Patterns, as the provider names its models; empty: all."""
    opened: bool
    """Whether a key of `encryption.keys` opens it. If none does, it is not used."""
    created: float
    """Unix seconds, as all times here."""
    created_by: str
    changed: float


class CredentialList(BaseModel):
    """All credentials that the database has of a provider, in the order of their making."""

    object: str = "list"
    data: list[CredentialShown]


class CredentialChanges(Section):
    """What of a credential is to be another: its text, its weight, its models."""

    key: SentSecret | None = None
    """The credential as the provider gave it, in place of the one before."""
    weight: Weight = 1
    """Its share of the calls: one of weight 2 gets twice as many as one of weight 1."""
    models: Patterns = ()
    """Patterns of the models that it may be used for, as the provider names them; an empty list means all."""


class CredentialToAdd(CredentialChanges):
    """A credential to be added."""

    key: SentSecret
    """The credential as the provider gave it. It is shown to nobody again."""


@dataclass(frozen=True, slots=True)
class CredentialRooms:
    """What the routes need."""

    store: CredentialStore
    stored: StoredCredentials
    fellows: Fellows
    loaded: Callable[[], Loaded]
    """The configuration at work, without what the database adds."""
    clock: Clock
    log: FilteringBoundLogger


def add_credentials(router: APIRouter, rooms: CredentialRooms) -> None:
    """Add the routes."""
    take = taking("credentials", rooms.stored, rooms.fellows, rooms.log)

    @router.get(ROUTE, openapi_extra=needs(Permission.READ))
    async def list_credentials(request: Request, name: Name) -> CredentialList:
        desk = _desk(rooms, request)
        return CredentialList(data=[_shown(desk, each) for each in await desk.of_provider(name)])

    @router.post(ROUTE, status_code=201, openapi_extra=needs(Permission.WRITE_CREDENTIALS))
    async def add_credential(request: Request, name: Name, wanted: CredentialToAdd) -> CredentialShown:
        desk = _desk(rooms, request)
        added = await desk.add(name, wanted.key, {"weight": wanted.weight, "models": wanted.models})
        await take()
        return _shown(desk, added)

    @router.patch(ROUTE + "/{credential}", openapi_extra=needs(Permission.WRITE_CREDENTIALS))
    async def change_credential(
        request: Request, name: Name, credential: CredentialId, wanted: CredentialChanges
    ) -> CredentialShown:
        desk = _desk(rooms, request)
        settings = {each: getattr(wanted, each) for each in wanted.model_fields_set - {"key"}}
        changed = await desk.change(name, credential, wanted.key, settings)
        await take()
        return _shown(desk, changed)

    @router.delete(ROUTE + "/{credential}", openapi_extra=needs(Permission.WRITE_CREDENTIALS))
    async def remove_credential(request: Request, name: Name, credential: CredentialId) -> CredentialShown:
        desk = _desk(rooms, request)
        removed = await desk.remove(name, credential)
        await take()
        return _shown(desk, removed)


def _desk(rooms: CredentialRooms, request: Request) -> CredentialDesk:
    return CredentialDesk(rooms.store, rooms.loaded(), admitted(request).by, rooms.clock.wall, os.urandom)


def _shown(desk: CredentialDesk, row: StoredCredential) -> CredentialShown:
    told = {name: getattr(row, name) for name in CredentialShown.model_fields if name != "opened"}
    return CredentialShown(**{**told, "models": list(row.models)}, opened=desk.opens(row))
