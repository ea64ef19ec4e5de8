"""The record of one call while it is being written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from app.gateway.account import Tally, Try
from app.gateway.guard import Passages, Spent
from app.gateway.verdicts import NOTHING, Verdict
from app.store.money import dollars
from app.telemetry.clock import Clock
from app.telemetry.record import AttemptRecord, CallRecord, Charge, Level, Outcome, UsageSource
from app.usage.rates import Rates
from providers.types import Call, Target, Usage


@dataclass(slots=True)
class CallLog:
    """Filled as the call goes its way; `finish` turns it into the record, once."""

    id: str
    request_id: str
    method: str
    path: str
    clock: Clock
    on_finish: Callable[[CallRecord], None]
    """Told the record once, when it is closed."""
    operation: str = ""
    started: float = 0.0
    """Monotonic seconds at which the request's head had arrived."""
    received: float | None = None
    """Monotonic seconds at which its body had."""
    key: str | None = None
    plan: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    call: Call | None = None
    price_version: str | None = None
    first_target: str | None = None
    """The plan's."""
    current: Try | None = None
    """The attempt that runs, or ran last."""
    passages: Passages | None = None
    """Of the attempt that runs; None when none does."""
    usage: Usage | None = None
    usage_source: UsageSource = "none"
    cost_nano: int | None = 0
    """Of all attempts that are billed; None once one of them has no known price."""
    charges: list[Charge] = field(default_factory=list)
    waited: float = 0.0
    """Seconds spent on attempts that have ended."""
    answered: float | None = None
    """Monotonic seconds at which the answer's first byte was ready for the client."""
    waited_before_answer: float = 0.0
    tries: list[AttemptRecord] = field(default_factory=list)
    last_billed: bool = False
    """Whether the attempt that ended last may be billed."""
    finished: bool = False

    @property
    def attempts(self) -> int:
        """How many tries there were, the running one included."""
        return len(self.tries) + (self.passages is not None)

    @property
    def tally(self) -> Tally:
        """What the running attempt's answer has shown so far."""
        assert self.current is not None
        return self.current.tally

    @property
    def overhead(self) -> float:
        """Seconds from the last byte of the request to the first of the answer that no provider took."""
        end = self.answered if self.answered is not None else self.clock.monotonic()
        waited = self.waited_before_answer if self.answered is not None else self.waited
        return max(0.0, end - (self.received or self.started) - waited)

    def begin_attempt(self, target: Target, rates: Rates | None, passages: Passages) -> None:
        """Note that a target is about to be tried."""
        self.current = Try(target, rates, self.clock.monotonic())
        self.passages = passages

    def end_attempt(
        self, outcome: str, status: int | None, *, billed: bool, complete: bool, verdict: Verdict = NOTHING
    ) -> None:
        """Account for the running try, if there is one.

        `billed`: the provider may have begun to work. `complete`: its answer came to its end.
        """
        running, passages, self.passages = self.current, self.passages, None
        if running is None or passages is None or self.call is None:
            return
        seconds = self.clock.monotonic() - running.started
        until_answer = None if self.answered is None else self.answered - running.started
        self.waited += seconds
        if billed:
            # One that is not takes nothing away from what an earlier one is billed for.
            self.usage, self.usage_source = running.used(self.call, complete=complete)
        self.last_billed = billed
        usage = self.usage if billed else None
        cost = running.cost(usage) if usage else 0
        self.cost_nano = None if self.cost_nano is None or cost is None else self.cost_nano + cost
        cut_short = outcome in ("cancelled", "internal_error")
        self.charges += passages.settle(Spent(usage, cost, verdict, seconds, until_answer, cut_short))
        self.tries.append(
            AttemptRecord(
                provider=running.target.provider,
                model=running.target.model,
                outcome=outcome,
                status=status,
                duration_ms=_ms(seconds),
                started_ms=_ms(running.started - self.started),
                ttft_ms=None if until_answer is None else _ms(until_answer),
                input_tokens=usage.input_tokens if usage else None,
                output_tokens=usage.output_tokens if usage else None,
                cost_nano=cost,
            )
        )

    def answer_ready(self) -> None:
        """Note that the first byte of the answer is ready; later calls change nothing."""
        if self.answered is None and self.current is not None:
            self.answered = self.clock.monotonic()
            self.waited_before_answer = self.waited + self.answered - self.current.started

    def finish(
        self,
        outcome: Outcome,
        status: int,
        error_type: str | None = None,
        amend: Callable[[CallRecord], CallRecord] = lambda record: record,
    ) -> None:
        """Close the record, let `amend` add to it, and tell of it. A second call does nothing."""
        if self.finished:
            return
        self.finished = True
        self.on_finish(amend(self._build(outcome, status, error_type)))

    def _build(self, outcome: Outcome, status: int, error_type: str | None) -> CallRecord:
        usage, call = self.usage, self.call
        target = self.current.target if self.current else None
        return CallRecord(
            id=self.id,
            timestamp=moment(self.clock.wall()),
            level=_level(status, outcome),
            request_id=self.request_id,
            key=self.key,
            plan=self.plan,
            method=self.method,
            path=self.path,
            operation=self.operation,
            status=status,
            model=call.model if call else None,
            provider=target.provider if target else None,
            upstream_model=(self.tally.model or target.model) if target else None,
            attempts=len(self.tries),
            fallback=outcome == "success" and target is not None and target.name != self.first_target,
            stream=call.stream if call else False,
            input_tokens=usage.input_tokens if usage else None,
            output_tokens=usage.output_tokens if usage else None,
            cached_tokens=usage.cached_tokens if usage else None,
            cache_write_tokens=usage.cache_write_tokens if usage else None,
            reasoning_tokens=usage.reasoning_tokens if usage else None,
            usage_source=self.usage_source,
            cost=None if self.cost_nano is None else dollars(self.cost_nano),
            cost_nano=self.cost_nano,
            price_version=self.price_version,
            charges=self.charges,
            ttft_ms=_ms(self.answered - self.started) if self.answered is not None else None,
            duration_ms=_ms(self.clock.monotonic() - self.started),
            upstream_ms=_ms(self.waited),
            overhead_ms=_ms(self.overhead),
            outcome=outcome,
            error_type=error_type,
            tags=dict(self.tags),
            tries=self.tries,
        )


def moment(seconds: float) -> str:
    """Write Unix seconds as RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _level(status: int, outcome: Outcome) -> Level:
    if outcome == "success":
        return "info"
    return "error" if status >= 500 or outcome in ("truncated", "internal_error") else "warning"


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
