"""What a target must respect: the limits of its provider, of the credential that was chosen, and of groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.errors import DEGRADED
from app.gateway.client_limits import limit_reached
from app.gateway.forecast import amounts
from app.gateway.guard import Passage, Spent, Ticket
from app.gateway.rules import LimitRules
from app.limits.ask import Amounts, Refusal
from app.limits.limiter import Held, Limiter
from app.telemetry.record import Charge
from providers.types import Target


@dataclass(frozen=True, slots=True)
class TargetLimits:
    """Takes from all the target's limits in one step, or from none."""

    rules: LimitRules
    limiter: Limiter

    async def take(self, ticket: Ticket, target: Target) -> Passage:
        """Reserve what the attempt will probably use. Raises `LimitReached`, `Unavailable`."""
        limits = self.rules.of_target(target)
        if not limits:
            return OPEN
        asked = amounts(ticket.forecast, limits)
        answer = await self.limiter.take(limits, asked)
        if answer.degraded and DEGRADED not in ticket.headers:
            ticket.headers.append(DEGRADED)
        if isinstance(answer.taken, Refusal):
            raise limit_reached(answer.taken, ticket.headers)
        return _Held(answer.taken)


class _Open:
    """The passage where there is nothing to hold."""

    def charges(self) -> Sequence[Charge]:
        return ()

    def settle(self, _spent: Spent, /) -> Sequence[Charge]:
        return ()


OPEN = _Open()


@dataclass(slots=True)
class _Held:
    hold: Held

    def charges(self) -> Sequence[Charge]:
        return ()

    def settle(self, spent: Spent, /) -> Sequence[Charge]:
        usage = spent.usage
        real = Amounts(1, usage.input_tokens, usage.output_tokens) if usage else None
        self.hold.settle(real)
        return ()
