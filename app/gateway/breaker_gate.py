"""The gate that keeps attempts from targets that have failed, and learns from those that it lets through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.errors import Unavailable, retry_headers
from app.gateway.breakers import Breakers, Permits
from app.gateway.guard import Passage, Spent, Ticket
from app.gateway.permit import Barred
from app.telemetry.clock import Clock
from app.telemetry.record import Charge
from providers.types import Target


@dataclass(frozen=True, slots=True)
class BreakerGate:
    """Asks the breakers of the target's provider and model."""

    breakers: Breakers
    clock: Clock

    async def take(self, _ticket: Ticket, target: Target) -> Passage:
        """Let an attempt through. Raises `Unavailable` while the target is left alone."""
        admitted = self.breakers.admit(target.provider, target.model, self.clock.monotonic())
        if isinstance(admitted, Barred):
            raise Unavailable(
                f"`{target.name}` has failed too often lately, and is given time to recover.",
                code="no_healthy_upstream",
                headers=retry_headers(admitted.retry_after),
                retry_after=admitted.retry_after,
            )
        return _Admitted(admitted, self.clock)


@dataclass(frozen=True, slots=True)
class _Admitted:
    permits: Permits
    clock: Clock

    def charges(self) -> Sequence[Charge]:
        return ()

    def settle(self, spent: Spent, /) -> Sequence[Charge]:
        self.permits.end(spent.verdict, self.clock.monotonic())
        return ()
