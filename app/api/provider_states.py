"""What is shown of providers: breakers and credentials, of one worker or of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import TypeVar

from pydantic import BaseModel

from app.gateway.breakers import Standing
from app.gateway.credential import CredentialStanding

_WORST_FIRST = ("open", "quarantined", "half_open", "parked")
_Shown = TypeVar("_Shown", "BreakerState", "CredentialState", "CredentialModelState")


class BreakerState(BaseModel):
    """How the breaker of a provider, or of one of its models, stands: in the worker where it stands worst."""

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
    """Of all workers."""
    workers: dict[str, int]
    """How many workers see it in which state."""


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
    """How one of a provider's credentials stands: in the worker where it stands worst."""

    provider: str
    credential: int
    """Its place, from 0: those under `keys` first, then those of the database."""
    id: int | None
    """Its id in the database; null: it is the configuration's."""
    state: str
    """`ready`, `parked` or `quarantined`: of the whole, or of the model that is worst off."""
    reason: str | None
    """`rate_limited`, `quota_exhausted` or `rejected`; null while it is ready."""
    usable_in: float
    """Seconds until it may be used for everything."""
    in_flight: int
    """Of all workers."""
    models: list[CredentialModelState]
    """Those of which something is known."""
    workers: dict[str, int]
    """How many workers see it in which state."""


class ListState(BaseModel):
    """How the list of models of a provider stands, which it gives itself: in the worker that was asked."""

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


def breaker_state(standing: Standing) -> BreakerState:
    """Show a breaker of this worker."""
    snapshot = standing.snapshot
    return BreakerState(
        provider=standing.provider,
        model=standing.model,
        state=snapshot.state,
        consecutive_failures=snapshot.consecutive,
        failure_ratio=snapshot.ratio,
        probe_in=snapshot.probe_in,
        openings=snapshot.openings,
        workers={snapshot.state: 1},
    )


def credential_state(standing: CredentialStanding) -> CredentialState:
    """Show a credential of this worker."""
    return CredentialState(
        provider=standing.provider,
        credential=standing.position,
        id=standing.stored,
        state=standing.state,
        reason=standing.reason,
        usable_in=standing.usable_in,
        in_flight=standing.in_flight,
        models=[CredentialModelState(**asdict(each)) for each in standing.models],
        workers={standing.state: 1},
    )


def combined(states: Sequence[ProviderStates]) -> ProviderStates:
    """Show what several workers see as one."""
    breakers = _grouped((each for s in states for each in s.data), lambda each: (each.provider, each.model))
    credentials = _grouped(
        (each for s in states for each in s.credentials),
        lambda each: (each.provider, each.credential, each.id),
    )
    return ProviderStates(
        # Providers first: what one worker has not been asked for yet comes after all that the first one has.
        data=sorted(map(_breaker, breakers), key=lambda each: each.model is not None),
        credentials=[*map(_credential, credentials)],
        # Each worker asks for itself, and they hear the same.
        lists=states[0].lists,
    )


def _breaker(same: Sequence[BreakerState]) -> BreakerState:
    worst = _worst(same)
    return worst.model_copy(
        update={"openings": sum(each.openings for each in same), "workers": _counted(same)}
    )


def _credential(same: Sequence[CredentialState]) -> CredentialState:
    models = _grouped((model for each in same for model in each.models), lambda model: model.model)
    together = {
        "in_flight": sum(each.in_flight for each in same),
        "models": [_worst(each) for each in models],
        "workers": _counted(same),
    }
    return _worst(same).model_copy(update=together)


def _grouped(shown: Iterable[_Shown], name: Callable[[_Shown], object]) -> Iterable[Sequence[_Shown]]:
    groups: dict[object, list[_Shown]] = {}
    for each in shown:
        groups.setdefault(name(each), []).append(each)
    return groups.values()


def _worst(same: Sequence[_Shown]) -> _Shown:
    return min(same, key=lambda each: (*_WORST_FIRST, each.state).index(each.state))


def _counted(same: Sequence[BreakerState] | Sequence[CredentialState]) -> dict[str, int]:
    return dict(Counter(state for each in same for state in each.workers))
