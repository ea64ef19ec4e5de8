"""The guard of what a client must respect: the limits of its key, its plan and the model it names."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from app.errors import DEGRADED, LimitReached
from app.gateway.forecast import Forecasts, amounts
from app.gateway.guard import Admission, Ticket
from app.gateway.rules import LimitRules
from app.limits.ask import Amounts, Limit, Refusal, Tightest
from app.limits.limiter import Answer, Held, Limiter
from app.limits.queue import Priority
from app.telemetry.record import CallRecord

_NAMES = tuple(
    (f"x-ratelimit-limit-{unit}", f"x-ratelimit-remaining-{unit}", f"x-ratelimit-reset-{unit}")
    for unit in ("requests", "tokens")
)


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Takes from all the client's limits in one step, or from none; may let a call wait for room."""

    rules: LimitRules
    limiter: Limiter
    forecasts: Forecasts

    async def admit(self, ticket: Ticket) -> Admission:
        """Reserve what the call will probably use. Raises `LimitReached`, `Unavailable`."""
        limits = self.rules.of_client(ticket.principal, ticket.call.model)
        if not limits:
            return _Learning(self.forecasts)
        answer = await self._ask(ticket, limits)
        headers = standing_headers(answer.tightest())
        if answer.degraded:
            headers.append(DEGRADED)
        if isinstance(answer.taken, Refusal):
            raise limit_reached(answer.taken, headers)
        ticket.headers += headers
        return _Held(answer.taken, self.forecasts)

    def _ask(self, ticket: Ticket, limits: Sequence[Limit]) -> Awaitable[Answer]:
        asked, max_wait = amounts(ticket.forecast, limits), self.rules.max_wait(ticket.call.model)
        if max_wait <= 0:
            return self.limiter.take(limits, asked)
        priority = Priority[ticket.principal.priority.upper()]
        return self.limiter.wait(limits, asked, priority=priority, max_wait=max_wait)


@dataclass(slots=True)
class _Held:
    hold: Held
    forecasts: Forecasts

    def settle(self, record: CallRecord, /) -> CallRecord:
        unserved = record.attempts == 0 and record.cache is None
        self.hold.settle(_used(record), refund_requests=unserved)
        self.forecasts.learn(record)
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
    for (limit, remaining, reset), standing in zip(_NAMES, tightest, strict=True):
        if standing is not None:
            headers += (
                (limit, str(standing.limit.capacity)),
                (remaining, str(standing.remaining)),
                (reset, go_duration(standing.reset_after)),
            )
    return headers


def go_duration(seconds: float) -> str:
    """Write seconds as Go does: `850ms`, `12.5s`, `6m0s`, `1h2m3s`."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    seconds = round(seconds, 2)
    if seconds < 60:
        return f"{seconds:g}s"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}h{minutes}m{rest:g}s" if hours else f"{minutes}m{rest:g}s"
