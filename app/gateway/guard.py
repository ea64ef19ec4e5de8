"""What a call must pass on its way down, and what learns of its end on the way up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from app.auth.principal import Principal
from app.gateway.router import Plan
from app.telemetry.record import CallRecord
from providers.types import Call


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a guard may judge a call by."""

    request_id: str
    call: Call
    principal: Principal
    plan: Plan


class Admission(Protocol):
    """What a guard holds for one call between its admission and its end."""

    def settle(self, record: CallRecord, /) -> None:
        """Give back, charge or write down. Called exactly once; never awaits, never raises."""
        ...


class Guard(Protocol):
    """Admits calls or refuses them."""

    async def admit(self, ticket: Ticket) -> Admission:
        """Let the call in. Raises the `GatewayError` that refuses it, having taken nothing."""
        ...


class Admissions:
    """The admissions of one call, settled together, in reverse, exactly once."""

    def __init__(self, guards: Sequence[Guard]) -> None:
        self._guards = guards
        self._held: list[Admission] = []

    async def take(self, ticket: Ticket) -> None:
        """Pass every guard in order. Raises what the first refusing one raises."""
        for guard in self._guards:
            self._held.append(await guard.admit(ticket))

    def settle(self, record: CallRecord) -> None:
        """Settle what is held. A second call finds nothing to do."""
        while self._held:
            self._held.pop().settle(record)
