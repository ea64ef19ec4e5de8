"""A public model as the router uses it: its settings, made ready once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from app.config.activation import ActiveProvider
from app.config.models import Timeouts
from app.config.public_models import ModelSettings
from app.gateway.balance import IN_ORDER, Balancer
from app.gateway.plan import NONE, Cause, none

MakesBalancer = Callable[[ModelSettings], Balancer]


@dataclass(frozen=True, slots=True)
class PublicModel:
    """What stands behind a name."""

    entries: tuple[tuple[str, int], ...]
    """Each target or public model that it lists, and its weight."""
    balancer: Balancer = IN_ORDER
    fallback: Mapping[Cause, tuple[str, ...]] = field(default_factory=none)
    timeouts: Mapping[str, Timeouts] = field(default_factory=none)
    """By provider; only where the model has its own."""

    @property
    def every(self) -> Iterator[str]:
        """All names that it lists, its fallbacks' too."""
        yield from (name for name, _ in self.entries)
        for names in self.fallback.values():
            yield from names


def in_order(_settings: ModelSettings) -> Balancer:
    """Make the balancer that knows nothing of any target."""
    return IN_ORDER


def public_model(
    settings: ModelSettings, providers: Mapping[str, ActiveProvider], balancer_of: MakesBalancer
) -> PublicModel:
    """Make a model of its settings."""
    own = settings.timeouts.stated
    return PublicModel(
        entries=tuple((each.target, each.weight) for each in settings.targets),
        balancer=balancer_of(settings),
        fallback=cast("Mapping[Cause, tuple[str, ...]]", settings.fallback.chains),
        timeouts={name: each.timeouts.model_copy(update=own) for name, each in providers.items()}
        if own
        else NONE,
    )
