"""How the breakers of each provider stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

BREAKER_STATES = ("closed", "half_open", "open")


class BreakerSnapshot(Protocol):
    """How a breaker stands."""

    @property
    def state(self) -> str:
        """`closed`, `half_open` or `open`."""
        ...


class BreakerStanding(Protocol):
    """A breaker by what it guards. Only providers' become labels: models' names come from clients."""

    @property
    def provider(self) -> str:
        """Its provider."""
        ...

    @property
    def model(self) -> str | None:
        """Its model; None is the provider as a whole."""
        ...

    @property
    def snapshot(self) -> BreakerSnapshot:
        """How it stands."""
        ...


class BreakerCollector(Collector):
    """Asks for them at each scrape."""

    def __init__(self, standings: Callable[[], Iterable[BreakerStanding]]) -> None:
        self._standings = standings

    def collect(self) -> Iterable[Metric]:
        """Give each provider's state, and how many of its models are left alone."""
        worst: dict[str, int] = {}
        open_models: Counter[str] = Counter()
        for standing in self._standings():
            state = BREAKER_STATES.index(standing.snapshot.state)
            if standing.model is None:
                worst[standing.provider] = state
            else:
                open_models[standing.provider] += state == len(BREAKER_STATES) - 1
        states = GaugeMetricFamily(
            "switchgear_breaker_state",
            "Of each provider: 0 closed, 1 half_open, 2 open.",
            labels=["provider"],
        )
        models = GaugeMetricFamily(
            "switchgear_breaker_open_models", "Models of a provider that are left alone.", labels=["provider"]
        )
        for provider, state in worst.items():
            states.add_metric([provider], state)
            models.add_metric([provider], open_models[provider])
        yield states
        yield models
