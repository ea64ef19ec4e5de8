"""Which balancer a public model gets, and what they all need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from app.config.public_models import ModelSettings
from app.gateway.balance import IN_ORDER, Ask, Balancer, Cheapest, LeastBusy, Quickest, Weighted
from app.gateway.loads import Loads
from app.gateway.stickiness import IDENTITIES, Sticky
from providers.types import Target


@dataclass(frozen=True, slots=True)
class Balancing:
    """Makes balancers."""

    loads: Loads
    now: Callable[[], float]
    """Monotonic seconds."""
    random: Callable[[], float]
    """From 0 up to 1."""
    price: Callable[[Target, Ask], int | None]
    """Nano-dollars of a call."""

    def of(self, settings: ModelSettings) -> Balancer:
        """Make the one that a model's settings ask for."""
        chosen = _BALANCERS[settings.balance](self)
        return Sticky(IDENTITIES[settings.sticky], chosen) if settings.sticky else chosen


_BALANCERS: Mapping[str, Callable[[Balancing], Balancer]] = {
    "order": lambda _: IN_ORDER,
    "weighted": lambda given: Weighted(given.random),
    "least_busy": lambda given: LeastBusy(given.loads, given.random),
    "latency": lambda given: Quickest(given.loads, given.now, given.random),
    "cost": lambda given: Cheapest(given.price),
}
_WATCHING = frozenset({"least_busy", "latency"})


def watched(models: Iterable[ModelSettings]) -> set[str]:
    """Give the targets that a balancer may ask about: all, where any model asks, since models hold models."""
    models = tuple(models)
    if not any(settings.balance in _WATCHING for settings in models):
        return set()
    return {name for settings in models for name in settings.names if "/" in name}
