"""Prometheus metrics. Every label has a bounded set of values.

Model names come from clients, so each is one of the first few hundred seen, or `other`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from app.telemetry.breaker_metrics import BreakerCollector, BreakerStanding
from app.telemetry.counts import tokens_of
from app.telemetry.credential_metrics import CredentialCollector, CredentialStanding
from app.telemetry.gen_ai_metrics import GenAiMetrics
from app.telemetry.record import CallRecord
from app.telemetry.series import Counts, Levels, Spreads

MODELS_SHOWN = 500
OTHER = "other"
NONE = "none"

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_OWN_SECONDS = (0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1)
_LAG_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class BoundedLabel:
    """Lets the first so many values through and calls the rest `other`.

    Only a call that succeeded can claim a place, or one client's typing errors would fill them all.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen: set[str] = set()

    def __call__(self, value: str | None, *, claim: bool) -> str:
        """Give the value to show; `claim` lets a new one take a place."""
        if value is None:
            return NONE
        if claim and len(self._seen) < self._limit:
            self._seen.add(value)
        return value if value in self._seen else OTHER


class Metrics:
    """All metrics, in a registry of their own."""

    def __init__(self, version: str) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._model = BoundedLabel(MODELS_SHOWN)
        self._requests = Counts(
            "switchgear_requests",
            "Calls that ended, by the status the client saw.",
            ("operation", "provider", "model", "status"),
            registry=registry,
        )
        self._errors = Counts(
            "switchgear_errors",
            "Calls that ended in an error, by its code.",
            ("operation", "code"),
            registry=registry,
        )
        self._duration = Spreads(
            "switchgear_request_duration_seconds",
            "From the head of the request to the end of the answer.",
            ("operation", "stream"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._upstream = Spreads(
            "switchgear_upstream_duration_seconds",
            "Spent on the attempts of a call.",
            ("operation", "provider"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._overhead = Spreads(
            "switchgear_overhead_seconds",
            "The gateway's own part, up to the first byte of the answer.",
            ("operation",),
            buckets=_OWN_SECONDS,
            registry=registry,
        )
        self._first_token = Spreads(
            "switchgear_time_to_first_token_seconds",
            "From the head of the request to the first event of a stream.",
            ("provider", "model"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._tokens, self._units = (
            Counts(name, text, ("provider", "model", "kind"), registry=registry)
            for name, text in (
                ("switchgear_tokens", "Tokens by kind."),
                ("switchgear_units", "Images, seconds of sound and video, characters and searches by kind."),
            )
        )
        self._attempts = Counts(
            "switchgear_attempts",
            "Tries of a target, by how they ended.",
            ("provider", "outcome"),
            registry=registry,
        )
        self._fallbacks = Counts(
            "switchgear_fallbacks",
            "Calls answered by a target other than the first of their plan.",
            ("provider",),
            registry=registry,
        )
        self._cost = Counts(
            "switchgear_cost_dollars",
            "Cost of calls, in dollars; what has no known price is not in it.",
            ("provider", "model"),
            registry=registry,
        )
        self._unpriced = Counts(
            "switchgear_unpriced_calls",
            "Calls that reached a provider and have no known price.",
            ("provider", "model"),
            registry=registry,
        )
        self._crossings = Counter(
            "switchgear_budget_crossings",
            "Shares of budgets that were spent.",
            ("subject", "share"),
            registry=registry,
        )
        self._reloads = Counter(
            "switchgear_config_reloads",
            "Configurations that were to be taken while running: applied, unchanged or rejected.",
            ("result",),
            registry=registry,
        )
        self._rejected = Gauge(
            "switchgear_config_rejected",
            "1 while the last configuration that was to be taken could not be used.",
            registry=registry,
        )
        self._mirror_dropped = Counter(
            "switchgear_mirror_dropped",
            "Copies of calls that were not sent, because too many were under way.",
            registry=registry,
        )
        self._parkings = Counter(
            "switchgear_credential_parkings",
            "Times that a credential was taken out of use, by why the provider refused it.",
            ("provider", "reason"),
            registry=registry,
        )
        self.in_flight = Levels(
            "switchgear_in_flight", "Calls admitted and not yet ended.", ("operation",), registry=registry
        )
        self._turned_away = Counter(
            "switchgear_overload_refusals",
            "Calls that were refused because there was too much to do, by the reason.",
            ("reason",),
            registry=registry,
        )
        self.loop_lag = Histogram(
            "switchgear_event_loop_lag_seconds",
            "How late the event loop came to its regular tick.",
            buckets=_LAG_SECONDS,
            registry=registry,
        )
        self._gen_ai = GenAiMetrics(registry)
        Gauge("switchgear_build_info", "Always 1.", ("version",), registry=registry).labels(version).set(1)

    def observe(self, record: CallRecord) -> None:
        """Count one call that has ended."""
        operation, provider = record.operation or NONE, record.provider or NONE
        claim = record.outcome == "success"
        model = self._model(record.upstream_model, claim=claim)
        self._requests.add((operation, provider, model, str(record.status)))
        if record.error_type:
            self._errors.add((operation, record.error_type))
        self._duration.observe((operation, "true" if record.stream else "false"), record.duration_ms / 1000)
        for attempt in record.tries:
            self._attempts.add((attempt.provider, attempt.outcome))
        if record.provider is None:
            return
        self._upstream.observe((operation, provider), record.upstream_ms / 1000)
        self._overhead.observe((operation,), record.overhead_ms / 1000)
        if record.fallback:
            self._fallbacks.add((provider,))
        if record.stream and record.ttft_ms is not None:
            self._first_token.observe((provider, model), record.ttft_ms / 1000)
        self._observe_usage(record, provider, model)
        self._gen_ai.observe(record, self._model(record.model, claim=claim))

    def _observe_usage(self, record: CallRecord, provider: str, model: str) -> None:
        for kind, count in tokens_of(record):
            self._tokens.add((provider, model, kind), count)
        for kind, used in (record.units or {}).items():
            self._units.add((provider, model, kind), used)
        if record.cost_nano is not None:
            self._cost.add((provider, model), record.cost_nano / 1e9)
        elif record.usage_source != "none":
            self._unpriced.add((provider, model))

    def watch_ledger(self, *, store_up: Callable[[], bool], **records: Callable[[], int]) -> None:
        """Show what the ledger counts, as it stands at each scrape."""
        gauge = Gauge(
            "switchgear_ledger_records",
            "Records by state: pending (the disk takes none), lost, shipped, rejected.",
            ("state",),
            registry=self.registry,
        )
        for state, count in records.items():
            gauge.labels(state).set_function(count)
        up = Gauge(
            "switchgear_ledger_store_up", "Whether the database takes records.", registry=self.registry
        )
        up.set_function(store_up)

    def watch_breakers(self, standings: Callable[[], Iterable[BreakerStanding]]) -> None:
        """Show the state of each provider's breaker at each scrape: 0 closed, 1 half_open, 2 open."""
        self.registry.register(BreakerCollector(standings))

    def watch_tasks(self, count: Callable[[], int]) -> None:
        """Show how many tasks the event loop has at each scrape."""
        gauge = Gauge("switchgear_tasks", "Tasks of the event loop.", registry=self.registry)
        gauge.set_function(count)

    def watch_held(self, **held: Callable[[], int]) -> None:
        """Show what calls under way hold at each scrape: nothing, when there are none."""
        gauge = Gauge(
            "switchgear_held",
            "What calls under way hold: places under limits, reservations of budgets.",
            ("of",),
            registry=self.registry,
        )
        for name, count in held.items():
            gauge.labels(name).set_function(count)

    def watch_state(self, *, up: Callable[[], bool], **counts: Callable[[], int]) -> None:
        """Show how the state that processes share stands at each scrape."""
        gauge = Gauge(
            "switchgear_shared_state_up",
            "1 while the Redis in `state` answers; else each process goes by `on_state_loss`.",
            registry=self.registry,
        )
        gauge.set_function(up)
        rest = Gauge(
            "switchgear_shared_state",
            "Of the Redis in `state`: losses since the start, instances that share it, settlements dropped.",
            ("of",),
            registry=self.registry,
        )
        for name, count in counts.items():
            rest.labels(name).set_function(count)

    def watch_credentials(self, standings: Callable[[], Iterable[CredentialStanding]]) -> None:
        """Show how many credentials of each provider are in which state at each scrape."""
        self.registry.register(CredentialCollector(standings))

    def watch_output(self, dropped: Callable[[], int]) -> None:
        """Show how many log lines could not be written."""
        gauge = Gauge("switchgear_log_lines_dropped", "Log lines that nobody took.", registry=self.registry)
        gauge.set_function(dropped)

    def count_crossing(self, subject: str, share: str) -> None:
        """Count a share of a budget that was spent. Subjects are those of the configuration."""
        self._crossings.labels(subject, share).inc()

    def count_dropped_copy(self) -> None:
        """Count a copy of a call that a mirror does not get."""
        self._mirror_dropped.inc()

    def count_parking(self, provider: str, reason: str) -> None:
        """Count that a credential was taken out of use."""
        self._parkings.labels(provider, reason).inc()

    def count_refusal(self, code: str) -> None:
        """Count a request that was refused before it was a call."""
        self._errors.add((NONE, code))

    def reloaded(self, result: str) -> None:
        """Count a reload that was `applied`, `unchanged` or `rejected`."""
        self._reloads.labels(result).inc()
        self._rejected.set(result == "rejected")

    def turned_away(self, reason: str) -> Counter:
        """Give the counter of calls that overload kept out for this reason."""
        return self._turned_away.labels(reason)

    def scrape(self) -> bytes:
        """Give the text exposition format."""
        return generate_latest(self.registry)
