"""The admin API: what the gateway thinks of its providers. For the master key alone."""

# No `from __future__ import annotations`: FastAPI reads the annotations of the nested routes as values.
from typing import Annotated

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


def add_admin(pages: FastAPI, keys: KeyRing, breakers: Breakers, clock: Clock) -> None:
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
