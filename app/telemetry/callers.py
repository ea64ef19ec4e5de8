"""What metrics tell of who calls: little, since users are many."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


def without_user(subject: str) -> str:
    """Give a budget's subject without the user that it names: `plan:small`, `user`."""
    before, found, _ = subject.partition("user:")
    return (before.removesuffix("/") or "user") if found else subject


class AgeCollector(Collector):
    """Shows the age of each issuer's keys at each scrape; infinite where there are none yet."""

    def __init__(self, ages: Callable[[], Iterable[tuple[str, float]]]) -> None:
        self._ages = ages

    def collect(self) -> Iterable[Metric]:
        """Give the one metric."""
        ages = GaugeMetricFamily(
            "switchgear_jwks_age_seconds", "Since an issuer's keys were fetched.", labels=["issuer"]
        )
        for issuer, age in self._ages():
            ages.add_metric([issuer], age)
        yield ages
