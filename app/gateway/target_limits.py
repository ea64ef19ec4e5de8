"""What a target must respect: the limits of its provider, of the credential that was chosen, and of groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.gateway.client_limits import limit_reached
from app.gateway.forecast import amounts
from app.gateway.guard import Passage, Spent, Ticket
from app.gateway.rules import LimitRules
from app.limits.ask import Amounts, Refusal
from app.limits.memory import Hold, MemoryLimits
from app.telemetry.clock import Clock
from app.telemetry.record import Charge
from providers.types import Target


@dataclass(frozen=True, slots=True)
class TargetLimits:
    """Takes from all the target's limits in one step, or from none."""

    rules: LimitRules
    meters: MemoryLimits
    clock: Clock

    def take(self, ticket: Ticket, target: Target) -> Passage:
        """Reserve what the attempt will probably use. Raises `LimitReached`."""
        limits = self.rules.of_target(target)
        if not limits:
            return OPEN
        asked = amounts(ticket.forecast, limits)
        taken = self.meters.take(limits, asked, self.clock.monotonic())
        if isinstance(taken, Refusal):
            raise limit_reached(taken, ticket.headers)
        return _Held(taken, self.clock)


class _Open:
    """The passage where there is nothing to hold."""

    def charges(self) -> Sequence[Charge]:
        return ()

    def settle(self, _spent: Spent, /) -> Sequence[Charge]:
        return ()


OPEN = _Open()


@dataclass(frozen=True, slots=True)
class _Held:
    hold: Hold
    clock: Clock

    def charges(self) -> Sequence[Charge]:
        return ()

    def settle(self, spent: Spent, /) -> Sequence[Charge]:
        usage = spent.usage
        real = Amounts(1, usage.input_tokens, usage.output_tokens) if usage else None
        self.hold.settle(real, self.clock.monotonic())
        return ()
