"""Telling of calls that overload keeps out: all are counted, a few are logged. A flood must not drown the log."""

from __future__ import annotations

from prometheus_client import Counter
from structlog.typing import FilteringBoundLogger

from app.telemetry.metrics import Metrics

LOGGED = 10
"""Lines between two summaries."""


class Refusals:
    """Counts and tells."""

    def __init__(self, log: FilteringBoundLogger, metrics: Metrics) -> None:
        self._log = log
        self._metrics = metrics
        self._counters: dict[str, Counter] = {}
        self._count = 0

    def tell(self, request_id: str, status: int, code: str, reason: str) -> None:
        """Tell of one."""
        counter = self._counters.get(reason)
        if counter is None:
            # Finding it by its label costs more than all the rest of this.
            counter = self._counters[reason] = self._metrics.turned_away(reason)
        counter.inc()
        self._count += 1
        if self._count <= LOGGED:
            self._log.warning("refused", request_id=request_id, status=status, code=code, reason=reason)

    def sum_up(self) -> None:
        """Tell how many there were that no line told of, and begin anew. Call it once a second or so."""
        count, self._count = self._count, 0
        if count > LOGGED:
            self._log.warning("refused_too", calls=count - LOGGED)
