"""Metrics of several workers as one text."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from app.workers.exposition import merged


def text(calls: int, model: str) -> bytes:
    registry = CollectorRegistry()
    Counter("calls", "Calls {all}.", ("model",), registry=registry).labels(model).inc(calls)
    Gauge("up", "Whether it is up.", registry=registry).set(1)
    Histogram("seconds", "Seconds.", buckets=(1, 2), registry=registry).observe(1.5)
    return generate_latest(registry)


def test_every_sample_of_all_is_there_under_its_worker_and_each_family_once() -> None:
    odd = 'a{b="c"} \\ "d"\n'
    whole = merged([(1, text(3, "a")), (12, text(4, odd))])
    families = list(text_string_to_metric_families(whole.decode()))
    assert len({family.name for family in families}) == len(families)
    samples = {
        (
            sample.name,
            sample.labels["worker"],
            sample.labels.get("model"),
            sample.labels.get("le"),
        ): sample.value
        for family in families
        for sample in family.samples
    }
    assert samples["calls_total", "1", "a", None] == 3
    assert samples["calls_total", "12", odd, None] == 4
    assert samples["up", "12", None, None] == 1
    assert samples["seconds_bucket", "1", None, "2.0"] == 1
    assert {family.type for family in families if family.name == "seconds"} == {"histogram"}
