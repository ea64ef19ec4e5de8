"""The admin API: what the gateway thinks of its providers, its configuration taken anew, and the rest under `/admin/v1`."""

# No `from __future__ import annotations`: FastAPI reads the annotations of the nested routes as values.
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Protocol

from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel
from structlog.typing import FilteringBoundLogger

from app.api.admin_accounts import AccountRooms, add_accounts
from app.api.admin_credentials import CredentialRooms, add_credentials
from app.api.admin_keys import KeyRooms, add_keys
from app.api.admin_levels import add_levels
from app.api.admin_reception import Reception
from app.api.admin_route import admin_route, admitted, needs
from app.api.provider_states import ListState, ProviderStates, breaker_state, combined, credential_state
from app.auth.roles import Permission
from app.errors import InvalidConfiguration, NotFound
from app.gateway.breakers import Breakers
from app.gateway.credential_pool import Credentials
from app.gateway.model_lists import ModelLists
from app.store.audit import Change
from app.store.database import StoreUnavailable
from app.telemetry.clock import Clock
from app.workers.fellows import Fellows


class Reloaded(BaseModel):
    """What came of taking the configuration anew."""

    changes: list[str]
    """Settings that differ, by their dotted paths."""
    restart_needed: list[str]
    """Settings that hold from the next start on."""
    workers: int
    """How many workers have taken it."""


class ReloadResult(Protocol):
    """What came of taking the configuration anew."""

    @property
    def changes(self) -> Sequence[str]:
        """Settings that differ."""
        ...

    @property
    def restart_needed(self) -> Sequence[str]:
        """Settings that hold from the next start on."""
        ...


class Reloads(Protocol):
    """Takes the configuration anew."""

    @property
    def rejected(self) -> bool:
        """Whether the last one could not be used."""
        ...

    async def reload(self, cause: str) -> ReloadResult:
        """Take it. Raises `InvalidConfiguration`; then the one at work stays."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminRooms:
    """What the admin API shows and changes."""

    breakers: Breakers
    credentials: Credentials
    model_lists: ModelLists
    reloads: Reloads
    keys: KeyRooms
    stored_credentials: CredentialRooms
    accounts: AccountRooms
    fellows: Fellows
    clock: Clock
    log: FilteringBoundLogger

    async def tell(self, request: Request, change: Change) -> None:
        """Write what was changed beside the database to the audit log. A store that is away stops nobody who mends things."""
        by = admitted(request).by
        try:
            await self.accounts.audit.write(change, by, self.clock.wall())
        except StoreUnavailable as error:
            self.log.error(
                "audit_not_written",
                action=change.action,
                target=change.target,
                actor=by.actor,
                request_id=by.request_id,
                reason=str(error),
            )


def add_admin(pages: FastAPI, rooms: AdminRooms, reception: Reception) -> None:
    """Add the routes under `/admin/v1`. Raises `Undeclared` where one does not say who may take it."""
    router = APIRouter(prefix="/admin/v1", tags=["admin"], route_class=admin_route(reception))
    _add_providers(router, rooms)
    _add_reload(router, rooms)
    add_credentials(router, rooms.stored_credentials)
    add_keys(router, rooms.keys)
    add_levels(router)
    add_accounts(router, rooms.accounts)
    pages.include_router(router)


def _own_states(rooms: AdminRooms, provider: str | None) -> ProviderStates:
    now = rooms.clock.monotonic()
    breakers, credentials = rooms.breakers.standings(now), rooms.credentials.standings(now)
    return ProviderStates(
        data=[breaker_state(each) for each in breakers if provider in (None, each.provider)],
        credentials=[credential_state(each) for each in credentials if provider in (None, each.provider)],
        lists=[
            ListState(**asdict(each))
            for each in rooms.model_lists.standings()
            if provider in (None, each.provider)
        ],
    )


def _add_providers(router: APIRouter, rooms: AdminRooms) -> None:
    async def states(question: str, provider: str | None = None) -> ProviderStates:
        answers = await rooms.fellows.ask(question, provider or "")
        others = [ProviderStates.model_validate_json(each) for each in answers]
        return combined([_own_states(rooms, provider), *others])

    def reset(name: str) -> None:
        rooms.breakers.reset(name)
        rooms.credentials.reset(name)

    async def answer_states(name: str) -> bytes:
        return _own_states(rooms, name or None).model_dump_json().encode()

    async def answer_reset(name: str) -> bytes:
        # One that was told of the provider a moment later than we were has nothing to reset.
        with suppress(KeyError):
            reset(name)
        return await answer_states(name)

    rooms.fellows.answer("providers", answer_states)
    rooms.fellows.answer("reset", answer_reset)

    @router.get("/providers", openapi_extra=needs(Permission.READ))
    async def list_providers() -> ProviderStates:
        return await states("providers")

    @router.post("/providers/{name}/reset", openapi_extra=needs(Permission.OPERATE))
    async def reset_provider(request: Request, name: str) -> ProviderStates:
        try:
            reset(name)
        except KeyError:
            raise NotFound(f"There is no provider `{name}` here.") from None
        await rooms.tell(request, Change("provider.reset", f"provider:{name}"))
        return await states("reset", name)


def _add_reload(router: APIRouter, rooms: AdminRooms) -> None:
    async def answer(_: str) -> bytes:
        # What is wrong with it, this worker's log and readiness tell.
        with suppress(InvalidConfiguration):
            await rooms.reloads.reload("admin")
            return b"taken"
        return b""

    rooms.fellows.answer("reload", answer)

    @router.post("/reload", openapi_extra=needs(Permission.OPERATE))
    async def reload(request: Request) -> Reloaded:
        result = await rooms.reloads.reload("admin")
        others = await rooms.fellows.ask("reload")
        done = Reloaded(
            changes=list(result.changes),
            restart_needed=list(result.restart_needed),
            workers=1 + len(others),
        )
        await rooms.tell(request, Change("reload", "configuration", after=done.model_dump()))
        return done
