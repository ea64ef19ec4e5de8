"""The record of one call while it is being written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from app.auth.principal import Principal
from app.gateway.guard import Passages, Spent, Use
from app.gateway.trial import Ending, Trial
from app.store.money import dollars
from app.telemetry.clock import Clock
from app.telemetry.record import AttemptRecord, CallRecord, Charge, Level, Outcome, UsageSource
from app.usage.rates import Rates
from providers.types import Call, Usage

UNIT_NAMES = ("images", "audio_seconds", "video_seconds", "characters", "searches")
"""Of a use, beside tokens."""


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
    user: str | None = None
    team: str | None = None
    organisation: str | None = None
    plan: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    call: Call | None = None
    price_version: str | None = None
    first_target: str | None = None
    """The plan's."""
    attempts: int = 0
    """How many tries there were, those that run included."""
    current: Trial | None = None
    """The attempt that answers; before one does, the one begun last."""
    usage: Usage | None = None
    usage_source: UsageSource = "none"
    cost_nano: int | None = 0
    """Of all attempts that are billed; None once one of them has no known price."""
    charges: list[Charge] = field(default_factory=list)
    running: list[Trial] = field(default_factory=list)
    """Attempts under way."""
    waits: int = 0
    """Providers that are waited for now."""
    waiting_since: float = 0.0
    """Monotonic seconds at which waiting for the first of them began."""
    waited: float = 0.0
    """Seconds that were spent waiting for providers, until the last wait that has ended."""
    answered: float | None = None
    """Monotonic seconds at which the answer's first byte was ready for the client."""
    waited_before_answer: float = 0.0
    tries: list[AttemptRecord] = field(default_factory=list)
    cache: str | None = None
    """What has answered in place of a provider."""
    finished: bool = False
    outlived: bool = False
    """Whether others still use what this call has asked for: its record is closed when that has ended."""
    end: Callable[[], None] | None = None
    """Finishes the call once it is outlived no more."""

    @property
    def overhead(self) -> float:
        """Seconds from the last byte of the request to the first of the answer that no provider took."""
        end = self.answered if self.answered is not None else self.clock.monotonic()
        waited = self.waited_before_answer if self.answered is not None else self.waited
        return max(0.0, end - (self.received or self.started) - waited)

    def identify(self, principal: Principal) -> None:
        """Note who calls."""
        self.key, self.user, self.plan = principal.key, principal.user, principal.plan
        self.team, self.organisation = principal.team, principal.organisation

    def begin_attempt(self, use: Use, rates: Rates | None, passages: Passages) -> Trial:
        """Note that a target is about to be tried."""
        now = self.clock.monotonic()
        self.attempts += 1
        self.begin_wait(now)
        self.current = trial = Trial(use, rates, now, passages)
        self.running.append(trial)
        return trial

    def end_attempt(self, trial: Trial, ending: Ending) -> None:
        """Account for a try, unless that was done."""
        passages, trial.passages = trial.passages, None
        if passages is None or self.call is None:
            return
        now = self.clock.monotonic()
        seconds = now - trial.started
        until_answer = None if self.answered is None else self.answered - trial.started
        self.running.remove(trial)
        self.end_wait(now)
        if ending.billed:
            # One that is not takes nothing away from what an earlier one is billed for.
            self.usage, self.usage_source = trial.used(self.call, complete=ending.complete)
        trial.billed = ending.billed
        usage = self.usage if ending.billed else None
        cost = trial.cost(usage) if usage else 0
        self.cost_nano = None if self.cost_nano is None or cost is None else self.cost_nano + cost
        spent = Spent(usage, cost, ending.verdict, seconds, until_answer, ending.cut_short)
        self.charges += passages.settle(spent)
        self.tries.append(
            AttemptRecord(
                provider=trial.target.provider,
                model=trial.target.model,
                outcome=ending.outcome,
                status=ending.status,
                duration_ms=_ms(seconds),
                started_ms=_ms(trial.started - self.started),
                ttft_ms=None if until_answer is None else _ms(until_answer),
                input_tokens=usage.input_tokens if usage else None,
                output_tokens=usage.output_tokens if usage else None,
                cost_nano=cost,
            )
        )

    def join(self, cache: str) -> None:
        """Note that what answers is no attempt of this call's own; it waits for a provider all the same."""
        self.cache = cache
        self.begin_wait(self.clock.monotonic())

    def held(self) -> Iterator[Charge]:
        """Give what the attempts under way hold of money."""
        return (c for trial in self.running if trial.passages for c in trial.passages.charges())

    def begin_wait(self, now: float) -> None:
        """Note that a provider is waited for from now on."""
        if not self.waits:
            self.waiting_since = now
        self.waits += 1

    def end_wait(self, now: float) -> None:
        """Note that one of those that are waited for is not any more."""
        self.waits -= 1
        if not self.waits:
            self.waited += now - self.waiting_since

    def answer_ready(self) -> None:
        """Note that the first byte of the answer is ready; later calls change nothing."""
        if self.answered is None:
            self.answered = self.clock.monotonic()
            self.waited_before_answer = self.waited + self.answered - self.waiting_since

    def finish(
        self,
        outcome: Outcome,
        status: int,
        error_type: str | None = None,
        amend: Callable[[CallRecord], CallRecord] = lambda record: record,
    ) -> None:
        """Close the record, let `amend` add to it, and tell of it. A second call does nothing."""
        if self.outlived:
            self.end = self.end or (lambda: self.finish(outcome, status, error_type, amend))
            return
        if self.finished:
            return
        self.finished = True
        if self.waits:
            self.waits = 1
            self.end_wait(self.clock.monotonic())
        self.on_finish(amend(self._build(outcome, status, error_type)))

    def outlive(self) -> None:
        """Leave the record open, whatever finishes the call, until `release`: others wait for its answer too."""
        self.outlived = True

    def release(self) -> None:
        """Close the record if what finishes the call has come."""
        self.outlived = False
        if self.end is not None:
            self.end()

    def _build(self, outcome: Outcome, status: int, error_type: str | None) -> CallRecord:
        usage, call = self.usage, self.call
        target = self.current.target if self.current else None
        return CallRecord(
            id=self.id,
            timestamp=moment(self.clock.wall()),
            level=_level(status, outcome),
            request_id=self.request_id,
            key=self.key,
            user=self.user,
            team=self.team,
            organisation=self.organisation,
            plan=self.plan,
            method=self.method,
            path=self.path,
            operation=self.operation,
            status=status,
            model=call.model if call else None,
            provider=target.provider if target else None,
            upstream_model=(self.current.tally.model or target.model) if self.current and target else None,
            attempts=len(self.tries),
            fallback=outcome == "success" and target is not None and target.name != self.first_target,
            cache=self.cache,
            stream=call.stream if call else False,
            input_tokens=usage.input_tokens if usage else None,
            output_tokens=usage.output_tokens if usage else None,
            cached_tokens=usage.cached_tokens if usage else None,
            cache_write_tokens=usage.cache_write_tokens if usage else None,
            reasoning_tokens=usage.reasoning_tokens if usage else None,
            units=_units(usage) if usage else None,
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
    whole, micros = divmod(round(seconds * 1e6), 1_000_000)
    return f"{_second(whole)}.{micros // 1000:03d}+00:00"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def _units(usage: Usage) -> dict[str, float] | None:
    used = {name: count for name in UNIT_NAMES if (count := getattr(usage, name))}
    return used or None


def _level(status: int, outcome: Outcome) -> Level:
    if outcome == "success":
        return "info"
    return "error" if status >= 500 or outcome in ("truncated", "internal_error") else "warning"


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
