"""The admin API: what the gateway thinks of its providers, and its configuration taken anew. For the master key alone."""

# No `from __future__ import annotations`: FastAPI reads the annotations of the nested routes as values.
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Protocol

from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel

from app.api.snapshot import Current
from app.auth.principal import Principal
from app.errors import NotFound, PermissionDenied
from app.gateway.breakers import Breakers, Standing
from app.gateway.credential import CredentialStanding
from app.gateway.credential_pool import Credentials
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


class ProviderStates(BaseModel):
    """All breakers there are, providers first, then the models that were asked of them lately; and all credentials."""

    object: str = "list"
    data: list[BreakerState]
    credentials: list[CredentialState]


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


@dataclass(frozen=True, slots=True)
class AdminRooms:
    """What the admin API shows and changes."""

    current: Current
    breakers: Breakers
    credentials: Credentials
    reloads: Reloads
    clock: Clock


def add_admin(pages: FastAPI, rooms: AdminRooms) -> None:
    """Add the routes under `/admin/v1`."""

    async def master(request: Request) -> Principal:
        principal = await rooms.current.snapshot.callers.identify(request.scope)
        if not principal.is_master:
            raise PermissionDenied("The admin API is for the master key.")
        return principal

    Master = Annotated[Principal, Depends(master)]  # noqa: N806 - a type, though it closes over who may call

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
        )

    @pages.get("/admin/v1/providers", tags=["admin"])
    async def list_providers(_: Master) -> ProviderStates:
        return states()

    @pages.post("/admin/v1/providers/{name}/reset", tags=["admin"])
    async def reset_provider(name: str, _: Master) -> ProviderStates:
        try:
            rooms.breakers.reset(name)
        except KeyError:
            raise NotFound(f"There is no provider `{name}` here.") from None
        rooms.credentials.reset(name)
        return states(name)

    @pages.post("/admin/v1/reload", tags=["admin"])
    async def reload(_: Master) -> Reloaded:
        result = await rooms.reloads.reload("admin")
        return Reloaded(changes=list(result.changes), restart_needed=list(result.restart_needed))


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
