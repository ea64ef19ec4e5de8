"""OpenTelemetry's metrics of calls to models.

The names are its semantic conventions for generative AI, as Prometheus spells them
(https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/).
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from app.telemetry.record import CallRecord
from app.telemetry.series import Spreads

# The bucket boundaries that the semantic conventions advise.
_GEN_AI_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_GEN_AI_TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)


class GenAiMetrics:
    """OpenTelemetry's `gen_ai.*` histograms."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")
        self._usage = Spreads(
            "gen_ai_client_token_usage",
            "Tokens used by a call.",
            (*labels, "gen_ai_token_type"),
            buckets=_GEN_AI_TOKENS,
            registry=registry,
        )
        self._duration = Spreads(
            "gen_ai_client_operation_duration_seconds",
            "Duration of a call to a provider.",
            (*labels, "error_type"),
            buckets=_GEN_AI_SECONDS,
            registry=registry,
        )
        self._request = Spreads(
            "gen_ai_server_request_duration_seconds",
            "Duration of a call as served.",
            (*labels, "error_type"),
            buckets=_GEN_AI_SECONDS,
            registry=registry,
        )
        self._first_token = Spreads(
            "gen_ai_server_time_to_first_token_seconds",
            "Time to the first event of a stream.",
            labels,
            buckets=_GEN_AI_SECONDS,
            registry=registry,
        )

    def observe(self, record: CallRecord, model: str) -> None:
        """Count one call that reached a provider."""
        labels = (_OPERATIONS.get(record.operation, record.operation), record.provider or "none", model)
        error = record.error_type or ""
        self._duration.observe((*labels, error), record.upstream_ms / 1000)
        self._request.observe((*labels, error), record.duration_ms / 1000)
        if record.stream and record.ttft_ms is not None:
            self._first_token.observe(labels, record.ttft_ms / 1000)
        for kind, count in (("input", record.input_tokens), ("output", record.output_tokens)):
            if count is not None:
                self._usage.observe((*labels, kind), count)


_OPERATIONS = {"chat": "chat", "completions": "text_completion", "embeddings": "embeddings"}
