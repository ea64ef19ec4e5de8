"""How many credentials of each provider are in which state, and how many no key opens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

STATES = ("ready", "parked", "quarantined")


class CredentialStanding(Protocol):
    """A credential, by its provider and state."""

    @property
    def provider(self) -> str:
        """Its provider."""
        ...

    @property
    def state(self) -> str:
        """`ready`, `parked` or `quarantined`."""
        ...


class CredentialCollector(Collector):
    """Counts at each scrape."""

    def __init__(self, standings: Callable[[], Iterable[CredentialStanding]]) -> None:
        self._standings = standings

    def collect(self) -> Iterable[Metric]:
        """Give the gauge."""
        counts = Counter((standing.provider, standing.state) for standing in self._standings())
        gauge = GaugeMetricFamily(
            "switchgear_credentials", "Credentials of a provider, by state.", labels=["provider", "state"]
        )
        for provider in dict.fromkeys(provider for provider, _ in counts):
            for state in STATES:
                gauge.add_metric([provider, state], counts[provider, state])
        yield gauge


class UnopenedCollector(Collector):
    """Counts at each scrape what no key opens."""

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count

    def collect(self) -> Iterable[Metric]:
        """Give the gauge."""
        yield GaugeMetricFamily(
            "switchgear_credentials_unopened",
            "Credentials of the database that no encryption key opens.",
            value=self._count(),
        )
