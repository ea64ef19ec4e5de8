"""The admin API: what the gateway thinks of its providers, and its configuration taken anew. For the master key alone."""

# No `from __future__ import annotations`: FastAPI reads the annotations of the nested routes as values.
from collections.abc import Sequence
from typing import Annotated, Protocol

from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel

from app.auth.keyring import KeyRing
from app.auth.principal import Principal
from app.errors import NotFound, PermissionDenied
from app.gateway.breakers import Breakers, Standing
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


class BreakerStates(BaseModel):
    """All breakers there are: providers first, then the models that were asked of them lately."""

    object: str = "list"
    data: list[BreakerState]


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


def add_admin(pages: FastAPI, keys: KeyRing, breakers: Breakers, clock: Clock, reloads: Reloads) -> None:
    """Add the routes under `/admin/v1`."""

    def master(request: Request) -> Principal:
        principal = keys.authenticate(request.scope["headers"])
        if not principal.is_master:
            raise PermissionDenied("The admin API is for the master key.")
        return principal

    Master = Annotated[Principal, Depends(master)]  # noqa: N806 - a type, though it closes over the key ring

    def states(provider: str | None = None) -> BreakerStates:
        found = breakers.standings(clock.monotonic())
        return BreakerStates(data=[_state(each) for each in found if provider in (None, each.provider)])

    @pages.get("/admin/v1/providers", tags=["admin"])
    async def list_providers(_: Master) -> BreakerStates:
        return states()

    @pages.post("/admin/v1/providers/{name}/reset", tags=["admin"])
    async def reset_provider(name: str, _: Master) -> BreakerStates:
        try:
            breakers.reset(name)
        except KeyError:
            raise NotFound(f"There is no provider `{name}` here.") from None
        return states(name)

    @pages.post("/admin/v1/reload", tags=["admin"])
    async def reload(_: Master) -> Reloaded:
        result = await reloads.reload("admin")
        return Reloaded(changes=list(result.changes), restart_needed=list(result.restart_needed))


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
