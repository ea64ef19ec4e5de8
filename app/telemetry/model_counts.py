"""Metrics of the models that providers list. Their names are no labels: providers make them up."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class ModelCounts:
    """Counts what is noticed about lists of models."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._changes = Counter(
            "switchgear_model_changes",
            "Models that appeared in a provider's list, are gone from it, or changed.",
            ("provider", "change"),
            registry=registry,
        )
        self._refreshes = Counter(
            "switchgear_model_list_refreshes",
            "Times that a provider was asked for its models: good or failed.",
            ("provider", "result"),
            registry=registry,
        )

    def count_model_change(self, provider: str, change: str, number: int) -> None:
        """Count models that have `appeared`, `gone` or `changed`."""
        self._changes.labels(provider, change).inc(number)

    def count_list_refresh(self, provider: str, result: str) -> None:
        """Count an asking that was `good` or `failed`."""
        self._refreshes.labels(provider, result).inc()
