"""The guard of what a client must respect: the limits of its key, its plan and the model it names."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from app.errors import LimitReached
from app.gateway.forecast import Forecasts, amounts
from app.gateway.guard import Admission, Ticket
from app.gateway.rules import LimitRules
from app.limits.ask import Amounts, Refusal, Standing, Tightest
from app.limits.memory import Hold, MemoryLimits
from app.limits.queue import Priority, WaitingRoom
from app.telemetry.clock import Clock
from app.telemetry.record import CallRecord


class ClientLimits:
    """Takes from all the client's limits in one step, or from none; may let a call wait for room."""

    def __init__(self, rules: LimitRules, meters: MemoryLimits, forecasts: Forecasts, clock: Clock) -> None:
        """Call it where an event loop runs."""
        self._rules = rules
        self._meters = meters
        self._forecasts = forecasts
        self._now = clock.monotonic
        self._room: WaitingRoom[Hold] = WaitingRoom(asyncio.get_running_loop(), self._give_back)

    async def admit(self, ticket: Ticket) -> Admission:
        """Reserve what the call will probably use. Raises `LimitReached`."""
        limits = self._rules.of_client(ticket.principal, ticket.call.model)
        if not limits:
            return _Learning(self._forecasts)
        asked = amounts(ticket.forecast, limits)
        taken = await self._room.wait(
            limits,
            lambda: self._meters.take(limits, asked, self._now()),
            priority=Priority[ticket.principal.priority.upper()],
            max_wait=self._rules.max_wait(ticket.call.model),
        )
        headers = standing_headers(Tightest.among(self._meters.standings(limits, self._now())))
        if isinstance(taken, Refusal):
            raise limit_reached(taken, headers)
        ticket.headers += headers
        return _Held(self, taken)

    def settle(self, hold: Hold, record: CallRecord) -> None:
        """Replace what was reserved by what was used, and let in who waits."""
        unserved = record.attempts == 0 and record.cache is None
        hold.settle(_used(record), self._now(), refund_requests=unserved)
        self._forecasts.learn(record)
        self._room.wake()

    def _give_back(self, hold: Hold) -> None:
        hold.settle(None, self._now(), refund_requests=True)


@dataclass(frozen=True, slots=True)
class _Held:
    limits: ClientLimits
    hold: Hold

    def settle(self, record: CallRecord, /) -> CallRecord:
        self.limits.settle(self.hold, record)
        return record


@dataclass(frozen=True, slots=True)
class _Learning:
    """Of a call without limits: it still teaches what calls like it use."""

    forecasts: Forecasts

    def settle(self, record: CallRecord, /) -> CallRecord:
        self.forecasts.learn(record)
        return record


def _used(record: CallRecord) -> Amounts | None:
    if record.usage_source == "none":
        return None
    return Amounts(1, record.input_tokens or 0, record.output_tokens or 0)


def limit_reached(refusal: Refusal, headers: Sequence[tuple[str, str]] = ()) -> LimitReached:
    """Tell a client which limit it is, how much of it is left, and when to come again."""
    limit = refusal.limit
    left = max(0, limit.capacity - refusal.used)
    if refusal.retry_after is None:
        message = (
            f"This call is larger than the whole limit: it asks for about {refusal.asked} of {limit.kind} "
            f"{limit.capacity} ({limit.subject}). Send less, or lower `max_tokens`."
        )
    else:
        message = (
            f"Rate limit reached for {limit.subject}: {limit.kind} {limit.capacity}, {left} left, "
            f"{refusal.asked} asked. Try again in {refusal.retry_after:.3g} s."
        )
    return LimitReached(message, retry_after=refusal.retry_after, headers=tuple(headers))


def standing_headers(tightest: Tightest) -> list[tuple[str, str]]:
    """Render `x-ratelimit-*` as OpenAI does, resets in Go's notation (`6m0s`)."""
    headers: list[tuple[str, str]] = []
    for unit, standing in (("requests", tightest.requests), ("tokens", tightest.tokens)):
        if standing is not None:
            headers += _headers_of(unit, standing)
    return headers


def _headers_of(unit: str, standing: Standing) -> list[tuple[str, str]]:
    return [
        (f"x-ratelimit-limit-{unit}", str(standing.limit.capacity)),
        (f"x-ratelimit-remaining-{unit}", str(standing.remaining)),
        (f"x-ratelimit-reset-{unit}", go_duration(standing.reset_after)),
    ]


def go_duration(seconds: float) -> str:
    """Write seconds as Go does: `850ms`, `12.5s`, `6m0s`, `1h2m3s`."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    minutes, rest = divmod(round(seconds, 2), 60)
    hours, minutes = divmod(int(minutes), 60)
    shown = f"{rest:g}s"
    if hours:
        return f"{hours}h{minutes}m{shown}"
    return f"{minutes}m{shown}" if minutes else shown
