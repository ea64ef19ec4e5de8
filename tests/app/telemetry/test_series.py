"""Our plain counters beside those of `prometheus_client`: the same numbers give the same text."""

from __future__ import annotations

import random
from typing import Any
from unittest.mock import patch

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from app.telemetry.series import Counts, Levels, Spreads
from app.workers.exposition import merged
from providers.types import Operation

BUCKETS = (0.00025, 0.005, 1, 2.5, 600, 1048576, 67108864)
ODD = ('a"b', "c\\d", "two\nlines", "{x=1,y}", "", "naïve ☃", Operation.CHAT)
NOW = 1_790_000_000.25


def ours(registry: CollectorRegistry) -> tuple[Any, Any, Any]:
    counts = Counts("calls", 'Calls "that" \\ ended.\n', ("who", "how"), registry=registry, now=lambda: NOW)
    levels = Levels("open", "Open.", ("who",), registry=registry)
    spreads = Spreads("seconds", "S.", ("who",), buckets=BUCKETS, registry=registry, now=lambda: NOW)
    return counts.add, levels.add, spreads.observe


def theirs(registry: CollectorRegistry) -> tuple[Any, Any, Any]:
    counts = Counter("calls", 'Calls "that" \\ ended.\n', ("who", "how"), registry=registry)
    levels = Gauge("open", "Open.", ("who",), registry=registry)
    spreads = Histogram("seconds", "S.", ("who",), buckets=BUCKETS, registry=registry)

    def count(labels: tuple[str, ...], amount: float = 1) -> None:
        counts.labels(*labels).inc(amount)

    def level(labels: tuple[str, ...], amount: float = 1) -> None:
        levels.labels(*labels).inc(amount)

    def observe(labels: tuple[str, ...], value: float) -> None:
        spreads.labels(*labels).observe(value)

    return count, level, observe


def text(make: Any, seed: int) -> bytes:
    """Give the text of some hundred numbers, the same for the same seed."""
    registry = CollectorRegistry()
    dice = random.Random(seed)
    with patch("time.time", lambda: NOW):
        count, level, observe = make(registry)
        for _ in range(500):
            who = dice.choice(ODD)
            count((who, dice.choice(ODD)), *dice.choice([(), (0.000123,), (7,), (0,)]))
            level((who,), *dice.choice([(), (-1,)]))
            observe((who,), dice.choice([*BUCKETS, 0, -1, 1e9, dice.expovariate(1)]))
    return generate_latest(registry)


def test_scrapes_see_what_they_would_of_prometheus_clients_own() -> None:
    for seed in range(3):
        assert text(ours, seed).decode().splitlines() == text(theirs, seed).decode().splitlines()
    assert generate_latest(_empty(ours)) == generate_latest(_empty(theirs))


def _empty(make: Any) -> CollectorRegistry:
    registry = CollectorRegistry()
    make(registry)
    return registry


def test_series_of_several_workers_keep_their_labels_beside_the_workers() -> None:
    whole = merged([(1, text(ours, 1)), (2, text(ours, 2))]).decode()
    assert whole == merged([(1, text(theirs, 1)), (2, text(theirs, 2))]).decode()
    families = {family.name: family for family in text_string_to_metric_families(whole)}
    said = {(s.labels["worker"], s.labels["who"]) for s in families["open"].samples}
    assert said == {(worker, who) for worker in "12" for who in ODD}


def test_a_scrape_while_series_come_up_sees_each_whole() -> None:
    registry = CollectorRegistry()
    count, _, observe = ours(registry)
    for number in range(3):
        observe((str(number),), 1)
        count((str(number), ""))
        samples = {(s.name, s.labels["who"]): s.value for f in registry.collect() for s in f.samples}
        assert samples["seconds_count", str(number)] == samples["calls_total", str(number)] == 1
