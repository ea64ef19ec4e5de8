"""Telling of calls that are refused at the door: all are counted, a few are logged. A flood must not drown the log."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Counter
from structlog.typing import FilteringBoundLogger

from app.telemetry.metrics import Metrics
from app.telemetry.record import CallRecord

LOGGED = 10
"""Lines between two summaries."""

Kind = tuple[str, str, str]
"""Operation, name of the caller (empty where nobody knows it), and code."""


class _Told:
    """Refusals of one kind since the last summary."""

    __slots__ = ("count", "record")

    def __init__(self) -> None:
        self.count = 0
        self.record: CallRecord | None = None
        """One of them: for metrics they are all alike."""


class Refusals:
    """Counts and tells."""

    def __init__(
        self, log: FilteringBoundLogger, metrics: Metrics, tell_of: Callable[[CallRecord], None]
    ) -> None:
        """`tell_of` logs and counts one call."""
        self._log = log
        self._metrics = metrics
        self._tell_of = tell_of
        self._counters: dict[str, Counter] = {}
        self._count = 0
        self._calls: dict[Kind, _Told] = {}

    def tell(self, request_id: str, status: int, code: str, reason: str) -> None:
        """Tell of one for which there was no place: it never became a call."""
        counter = self._counters.get(reason)
        if counter is None:
            # Finding it by its label costs more than all the rest of this.
            counter = self._counters[reason] = self._metrics.turned_away(reason)
        counter.inc()
        self._count += 1
        if self._count <= LOGGED:
            self._log.warning("refused", request_id=request_id, status=status, code=code, reason=reason)

    def tell_of_call(self, kind: Kind, record: Callable[[], CallRecord]) -> None:
        """Tell of a call that was refused for its key. Each is counted as any call is; `record` is made for few."""
        told = self._calls.get(kind)
        if told is None:
            told = self._calls[kind] = _Told()
        told.count += 1
        if told.record is None or told.count <= LOGGED:
            told.record = record()
            self._tell_of(told.record)
        else:
            self._metrics.observe(told.record)

    def sum_up(self) -> None:
        """Tell how many there were that no line told of, and begin anew. Call it once a second or so."""
        count, self._count = self._count, 0
        if count > LOGGED:
            self._log.warning("refused_too", calls=count - LOGGED)
        calls, self._calls = self._calls, {}
        for (operation, caller, code), told in calls.items():
            if told.count > LOGGED:
                self._log.warning(
                    "refused_too",
                    calls=told.count - LOGGED,
                    operation=operation,
                    caller=caller or None,
                    code=code,
                )
