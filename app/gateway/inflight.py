"""The first guard: counts the calls that are under way."""

from __future__ import annotations

from dataclasses import dataclass

from app.gateway.guard import Ticket
from app.telemetry.metrics import Metrics
from app.telemetry.record import CallRecord


@dataclass(frozen=True, slots=True)
class InFlight:
    """Admits every call and shows how many there are."""

    metrics: Metrics

    async def admit(self, ticket: Ticket) -> Counted:
        """Count the call in."""
        operation = (str(ticket.call.operation),)
        self.metrics.in_flight.add(operation)
        return Counted(self.metrics, operation)


@dataclass(frozen=True, slots=True)
class Counted:
    """One call that is counted in."""

    metrics: Metrics
    operation: tuple[str]

    def settle(self, record: CallRecord, /) -> CallRecord:
        """Count the call out."""
        self.metrics.in_flight.add(self.operation, -1)
        return record
