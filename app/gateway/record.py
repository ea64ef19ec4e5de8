"""The record of one call while it is being written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from app.telemetry.clock import Clock
from app.telemetry.record import AttemptRecord, CallRecord, Level, Outcome, UsageSource
from providers.types import Call, Chunk, Target, Usage

BYTES_PER_TOKEN = 4
"""Of English text, the figure that vendors give for estimates. Used only where they gave no count."""


@dataclass(slots=True)
class Tally:
    """What one attempt's answer has shown so far."""

    usage: Usage | None = None
    model: str | None = None
    text_bytes: int = 0

    def add(self, chunks: Sequence[Chunk]) -> None:
        """Take what these chunks show."""
        for chunk in chunks:
            self.usage = chunk.usage or self.usage
            self.model = chunk.model or self.model
            self.text_bytes += chunk.text_bytes


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
    call: Call | None = None
    first_target: str | None = None
    target: Target | None = None
    tally: Tally = field(default_factory=Tally)
    accepted: bool = False
    """Whether a provider may have begun to work, so that it may bill even what failed."""
    attempt_started: float | None = None
    waited: float = 0.0
    """Seconds spent on attempts that have ended."""
    answered: float | None = None
    """Monotonic seconds at which the answer's first byte was ready for the client."""
    waited_before_answer: float = 0.0
    tries: list[AttemptRecord] = field(default_factory=list)
    record: CallRecord | None = None

    @property
    def attempts(self) -> int:
        """How many tries there were, the running one included."""
        return len(self.tries) + (self.attempt_started is not None)

    @property
    def overhead(self) -> float:
        """Seconds from the last byte of the request to the first of the answer that no provider took."""
        end = self.answered if self.answered is not None else self.clock.monotonic()
        waited = self.waited_before_answer if self.answered is not None else self.waited
        return max(0.0, end - (self.received or self.started) - waited)

    def begin_attempt(self, target: Target) -> None:
        """Note that a target is about to be tried."""
        self.first_target = self.first_target or target.name
        self.target = target
        self.tally = Tally()
        self.accepted = True
        self.attempt_started = self.clock.monotonic()

    def end_attempt(self, outcome: str, status: int | None) -> None:
        """Note how the try ended, if one is running."""
        if self.attempt_started is None or self.target is None:
            return
        seconds = self.clock.monotonic() - self.attempt_started
        self.attempt_started = None
        self.waited += seconds
        self.tries.append(
            AttemptRecord(
                provider=self.target.provider,
                model=self.target.model,
                outcome=outcome,
                status=status,
                duration_ms=_ms(seconds),
            )
        )

    def answer_ready(self) -> None:
        """Note that the first byte of the answer is ready; later calls change nothing."""
        if self.answered is None:
            self.answered = self.clock.monotonic()
            running = self.answered - self.attempt_started if self.attempt_started is not None else 0.0
            self.waited_before_answer = self.waited + running

    def finish(self, outcome: Outcome, status: int, error_type: str | None = None) -> CallRecord:
        """Close the record. A second call gives the first one's."""
        if self.record is None:
            self.record = self._build(outcome, status, error_type)
            self.on_finish(self.record)
        return self.record

    def _build(self, outcome: Outcome, status: int, error_type: str | None) -> CallRecord:
        usage, source = self._usage(outcome)
        now = self.clock.monotonic()
        target = self.target
        return CallRecord(
            id=self.id,
            timestamp=datetime.fromtimestamp(self.clock.wall(), UTC).isoformat(timespec="milliseconds"),
            level=_level(status, outcome),
            request_id=self.request_id,
            key=self.key,
            method=self.method,
            path=self.path,
            operation=self.operation,
            status=status,
            model=self.call.model if self.call else None,
            provider=target.provider if target else None,
            upstream_model=(self.tally.model or target.model) if target else None,
            attempts=len(self.tries),
            fallback=target is not None and target.name != self.first_target,
            stream=self.call.stream if self.call else False,
            input_tokens=usage.input_tokens if usage else None,
            output_tokens=usage.output_tokens if usage else None,
            cached_tokens=usage.cached_tokens if usage else None,
            cache_write_tokens=usage.cache_write_tokens if usage else None,
            reasoning_tokens=usage.reasoning_tokens if usage else None,
            usage_source=source,
            ttft_ms=_ms(self.answered - self.started) if self.answered is not None else None,
            duration_ms=_ms(now - self.started),
            upstream_ms=_ms(self.waited),
            overhead_ms=_ms(self.overhead),
            outcome=outcome,
            error_type=error_type,
            tries=self.tries,
        )

    def _usage(self, outcome: Outcome) -> tuple[Usage | None, UsageSource]:
        seen = self.tally.usage
        if outcome == "success" and seen is not None:
            return seen, "provider"
        if not self.accepted or self.call is None:
            return None, "none"
        prompt = seen.input_tokens if seen and seen.input_tokens else _estimate_prompt(self.call)
        output = -(-self.tally.text_bytes // BYTES_PER_TOKEN)
        cached = seen.cached_tokens if seen else 0
        return Usage(input_tokens=prompt, output_tokens=output, cached_tokens=cached), "estimated"


def _estimate_prompt(call: Call) -> int:
    """Estimate the prompt's tokens from the length of its texts."""
    keys = ("messages", "prompt", "input", "tools")
    return -(-sum(_text_length(call.body[key]) for key in keys if key in call.body) // BYTES_PER_TOKEN)


def _text_length(value: object) -> int:
    if isinstance(value, str):
        # Pictures and sound travel as data URLs, whose length says nothing about their tokens.
        return 0 if value.startswith("data:") else len(value)
    if isinstance(value, list):
        return sum(map(_text_length, value))
    if isinstance(value, dict):
        return sum(_text_length(part) for key, part in value.items() if key != "data")
    return 0


def _level(status: int, outcome: Outcome) -> Level:
    if outcome == "success":
        return "info"
    return "error" if status >= 500 or outcome in ("truncated", "internal_error") else "warning"


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
