"""Counters, gauges and histograms of calls, kept as plain numbers and made into metrics when somebody looks.

`prometheus_client`'s own take a lock and look their labels up for every number, and a call has a
dozen of them. These belong to one thread, the event loop's. What a scrape sees is the same.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from math import inf

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

Labels = tuple[str, ...]
Now = Callable[[], float]


class Counts(Collector):
    """A counter with labels."""

    def __init__(
        self,
        name: str,
        text: str,
        labels: Sequence[str],
        *,
        registry: CollectorRegistry,
        now: Now = time.time,
    ) -> None:
        self._family = name, text, labels
        self._now = now
        self._sums: dict[Labels, float] = {}
        self._created: dict[Labels, float] = {}
        registry.register(self)

    def add(self, labels: Labels, amount: float = 1) -> None:
        """Add to the sum of these label values."""
        try:
            self._sums[labels] += amount
        except KeyError:
            self._created[labels] = self._now()
            self._sums[labels] = amount

    def collect(self) -> Iterable[Metric]:
        """Give the sums."""
        name, text, labels = self._family
        family = CounterMetricFamily(name, text, labels=labels)
        for values, amount in list(self._sums.items()):
            family.add_metric(values, amount, self._created[values])
        yield family


class Levels(Collector):
    """A gauge with labels, which counts up and down."""

    def __init__(self, name: str, text: str, labels: Sequence[str], *, registry: CollectorRegistry) -> None:
        self._family = name, text, labels
        self._levels: dict[Labels, float] = {}
        registry.register(self)

    def add(self, labels: Labels, amount: float = 1) -> None:
        """Add to the level of these label values; less than nothing takes away."""
        self._levels[labels] = self._levels.get(labels, 0) + amount

    def collect(self) -> Iterable[Metric]:
        """Give the levels."""
        name, text, labels = self._family
        family = GaugeMetricFamily(name, text, labels=labels)
        for values, level in list(self._levels.items()):
            family.add_metric(values, level)
        yield family


class Spread:
    """How the values with the same labels are spread over the buckets."""

    __slots__ = ("counts", "created", "sum")

    def __init__(self, buckets: int, created: float) -> None:
        self.counts = [0] * buckets
        self.sum = 0.0
        self.created = created


class Spreads(Collector):
    """A histogram with labels. Buckets are given by their upper bounds, in order, without the infinite one."""

    def __init__(
        self,
        name: str,
        text: str,
        labels: Sequence[str],
        *,
        buckets: Sequence[float],
        registry: CollectorRegistry,
        now: Now = time.time,
    ) -> None:
        self._family = name, text, labels
        self._bounds = buckets
        self._now = now
        self._spreads: dict[Labels, Spread] = {}
        registry.register(self)

    def observe(self, labels: Labels, value: float) -> None:
        """Count a value under these label values."""
        spread = self._spreads.get(labels)
        if spread is None:
            spread = self._spreads[labels] = Spread(len(self._bounds) + 1, self._now())
        spread.counts[bisect_left(self._bounds, value)] += 1
        spread.sum += value

    def collect(self) -> Iterable[Metric]:
        """Give the buckets as Prometheus has them: each with what is in all lower ones."""
        name, text, labels = self._family
        family = HistogramMetricFamily(name, text, labels=labels)
        bounds = list(map(str, map(floatToGoString, (*self._bounds, inf))))
        for values, spread in list(self._spreads.items()):
            so_far, buckets = 0, []
            for bound, count in zip(bounds, spread.counts, strict=True):
                so_far += count
                buckets.append((bound, so_far))
            family.add_metric(values, buckets, spread.sum)
            family.add_sample(f"{name}_created", dict(zip(labels, values, strict=True)), spread.created)
        yield family
