"""The admin API: what the gateway thinks of its providers, its configuration taken anew, and the rest under `/admin/v1`."""

# No `from __future__ import annotations`: FastAPI reads the annotations of the nested routes as values.
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel
from structlog.typing import FilteringBoundLogger

from app.api.admin_accounts import AccountRooms, add_accounts
from app.api.admin_keys import KeyRooms, add_keys
from app.api.admin_levels import add_levels
from app.api.admin_reception import Reception
from app.api.admin_route import admin_route, admitted, needs
from app.auth.roles import Permission
from app.errors import NotFound
from app.gateway.breakers import Breakers, Standing
from app.gateway.credential import CredentialStanding
from app.gateway.credential_pool import Credentials
from app.gateway.model_lists import ModelLists
from app.store.audit import Change
from app.store.database import StoreUnavailable
from app.telemetry.clock import Clock


class BreakerState(BaseModel):
    """How the breaker of a provider, or of one of its models, stands."""

    provider: str
    model: str | None
    """Null: the provider as a whole."""
    state: str
    """`closed`, `open` or `half_open`."""
    consecutive_failures: int
    failure_ratio: float | None
    """Of recent calls; null where there were none."""
    probe_in: float | None
    """Seconds until the next probe may pass; null unless it is open."""
    openings: int


class CredentialModelState(BaseModel):
    """How a credential stands with one model."""

    model: str
    state: str
    reason: str | None
    usable_in: float
    remaining_requests: int | None
    """As the provider says, less what was sent since; null: not known."""
    remaining_tokens: int | None


class CredentialState(BaseModel):
    """How one of a provider's credentials stands."""

    provider: str
    credential: int
    """Its place under `keys`, from 0."""
    state: str
    """`ready`, `parked` or `quarantined`: of the whole, or of the model that is worst off."""
    reason: str | None
    """`rate_limited`, `quota_exhausted` or `rejected`; null while it is ready."""
    usable_in: float
    """Seconds until it may be used for everything."""
    in_flight: int
    models: list[CredentialModelState]
    """Those of which something is known."""


class ListState(BaseModel):
    """How the list of models of a provider stands, which it gives itself."""

    provider: str
    models: int
    fetched: float | None
    """Unix seconds of the last good one; null: there was none."""
    failure: str | None
    """The class of what went wrong last; null while it is as it should be."""
    gone: list[str]
    """Models that it named once and no longer, the latest last."""


class ProviderStates(BaseModel):
    """All breakers there are, providers first, then the models that were asked of them lately; and all credentials."""

    object: str = "list"
    data: list[BreakerState]
    credentials: list[CredentialState]
    lists: list[ListState]


class Reloaded(BaseModel):
    """What came of taking the configuration anew."""

    changes: list[str]
    """Settings that differ, by their dotted paths."""
    restart_needed: list[str]
    """Settings that hold from the next start on."""


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
    accounts: AccountRooms
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
    add_keys(router, rooms.keys)
    add_levels(router)
    add_accounts(router, rooms.accounts)
    pages.include_router(router)


def _add_providers(router: APIRouter, rooms: AdminRooms) -> None:
    def states(provider: str | None = None) -> ProviderStates:
        now = rooms.clock.monotonic()
        return ProviderStates(
            data=[
                _state(each) for each in rooms.breakers.standings(now) if provider in (None, each.provider)
            ],
            credentials=[
                _credential(each)
                for each in rooms.credentials.standings(now)
                if provider in (None, each.provider)
            ],
            lists=[
                ListState(**asdict(each))
                for each in rooms.model_lists.standings()
                if provider in (None, each.provider)
            ],
        )

    @router.get("/providers", openapi_extra=needs(Permission.READ))
    async def list_providers() -> ProviderStates:
        return states()

    @router.post("/providers/{name}/reset", openapi_extra=needs(Permission.OPERATE))
    async def reset_provider(request: Request, name: str) -> ProviderStates:
        try:
            rooms.breakers.reset(name)
        except KeyError:
            raise NotFound(f"There is no provider `{name}` here.") from None
        rooms.credentials.reset(name)
        await rooms.tell(request, Change("provider.reset", f"provider:{name}"))
        return states(name)

    @router.post("/reload", openapi_extra=needs(Permission.OPERATE))
    async def reload(request: Request) -> Reloaded:
        result = await rooms.reloads.reload("admin")
        done = Reloaded(changes=list(result.changes), restart_needed=list(result.restart_needed))
        await rooms.tell(request, Change("reload", "configuration", after=done.model_dump()))
        return done


def _credential(standing: CredentialStanding) -> CredentialState:
    return CredentialState(
        provider=standing.provider,
        credential=standing.position,
        state=standing.state,
        reason=standing.reason,
        usable_in=standing.usable_in,
        in_flight=standing.in_flight,
        models=[CredentialModelState(**asdict(each)) for each in standing.models],
    )


def _state(standing: Standing) -> BreakerState:
    snapshot = standing.snapshot
    return BreakerState(
        provider=standing.provider,
        model=standing.model,
        state=snapshot.state,
        consecutive_failures=snapshot.consecutive,
        failure_ratio=snapshot.ratio,
        probe_in=snapshot.probe_in,
        openings=snapshot.openings,
    )
