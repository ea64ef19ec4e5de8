"""Metrics of what makes answers come sooner: targets tried beside slow ones, and answers that calls share."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from app.telemetry.record import CallRecord


class Shortcuts:
    """Counts them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._hedges = Counter(
            "switchgear_hedges",
            "Second targets tried beside a slow first one: `started`, and `won` where they answered.",
            ("model", "event"),
            registry=registry,
        )
        self._cached = Counter(
            "switchgear_cached_calls",
            "Calls answered without one to a provider of their own, by what has answered.",
            ("operation", "cache"),
            registry=registry,
        )

    def count_hedge(self, model: str, event: str) -> None:
        """Count a hedge that `started` or `won`. Models are those of the configuration."""
        self._hedges.labels(model, event).inc()

    def observe(self, record: CallRecord) -> None:
        """Count one call that has ended."""
        if record.cache is not None:
            self._cached.labels(record.operation, record.cache).inc()
