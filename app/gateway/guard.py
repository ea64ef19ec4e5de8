"""What a call must pass on its way down, and what learns of its end on the way up.

A guard stands before the whole call: what the client must respect. A gate stands before each
attempt: what the target must respect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from app.auth.principal import Principal
from app.gateway.forecast import Forecast
from app.gateway.plan import Plan
from app.gateway.verdicts import NOTHING, Verdict
from app.telemetry.record import CallRecord, Charge
from app.usage.rates import Rates
from providers.errors import UpstreamError
from providers.types import Call, RateLimits, Target, Usage


@dataclass(slots=True)
class Ticket:
    """What guards and gates may judge a call by. A guard may replace `call`, and add response headers."""

    request_id: str
    call: Call
    principal: Principal
    plan: Plan
    forecast: Forecast
    strict: bool = False
    """Whether a strict budget has reserved for it."""
    headers: list[tuple[str, str]] = field(default_factory=list)
    rates: dict[str, Rates | None] = field(default_factory=dict)
    """By target, as they were when the call began."""
    charges: list[Charge] = field(default_factory=list)
    """What the guards have reserved, for the ledger's intent."""
    mark: str = ""
    """Of the one credential that may be used. Empty: any."""


class Admission(Protocol):
    """What a guard holds for one call between its admission and its end."""

    def settle(self, record: CallRecord, /) -> CallRecord:
        """Give back, charge or learn. Called exactly once; never awaits, never raises.

        Gives the record for the next one, with what this one has to add.
        """
        ...


class Guard(Protocol):
    """Admits calls or refuses them."""

    async def admit(self, ticket: Ticket) -> Admission:
        """Let the call in. Raises the `GatewayError` that refuses it, having taken nothing."""
        ...


class Spent(msgspec.Struct, frozen=True, gc=False):
    """What one attempt has used, as far as it is known."""

    usage: Usage | None
    """None: the target was not reached, or has done nothing that it would bill."""
    cost_nano: int | None
    verdict: Verdict = NOTHING
    """What its end says about the target."""
    seconds: float = 0.0
    """From its start to its end."""
    until_answer: float | None = None
    """Seconds from its start to the first event, or to the whole answer; None where neither came."""
    cut_short: bool = True
    """Whether it was given up from our side or the client's."""


class Passage(Protocol):
    """What a gate holds for one attempt."""

    def charges(self) -> Sequence[Charge]:
        """Give what would be charged if the attempt cost all that is held for it."""
        ...

    def settle(self, spent: Spent, /) -> Sequence[Charge]:
        """Give back or charge, exactly once; never awaits, never raises. Gives what was charged."""
        ...


class Gate(Protocol):
    """Lets attempts at a target through or not."""

    async def take(self, ticket: Ticket, target: Target) -> Passage:
        """Let an attempt through. Raises the `GatewayError` that keeps it out, having taken nothing."""
        ...


class Use(Protocol):
    """An attempt with the credential that was chosen for it."""

    @property
    def target(self) -> Target:
        """The target with the credential."""
        ...

    def heard(self, status: int, limits: RateLimits | None) -> None:
        """Learn from the head of an answer: its status, and what it says is left of the provider's limits."""
        ...

    def failed(self, error: UpstreamError) -> None:
        """Learn from a failure; where it speaks of the credential, `retry_after` tells when one can be used again."""
        ...

    def has_other(self) -> bool:
        """Whether another credential of the provider can be used at once."""
        ...

    def settle(self, spent: Spent, /) -> Sequence[Charge]:
        """Give back, exactly once, as a passage does."""
        ...

    def charges(self) -> Sequence[Charge]:
        """Give what would be charged, as a passage does."""
        ...


class Chooser(Protocol):
    """The last gate of an attempt: it chooses the credential, with what holds for that alone."""

    async def take(self, ticket: Ticket, target: Target) -> Use:
        """Let an attempt through. Raises the `GatewayError` that keeps it out, having taken nothing."""
        ...

    def steer(self, ticket: Ticket) -> Plan:
        """Give the call's plan, what has no room as far as the providers say at its end."""
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

    def settle(self, record: CallRecord) -> CallRecord:
        """Settle what is held, and give the record with all that they have added."""
        while self._held:
            record = self._held.pop().settle(record)
        return record


class Passages:
    """The passages of one attempt, taken all or none, settled together exactly once."""

    def __init__(self) -> None:
        self._held: list[Passage] = []

    async def take(self, gates: Sequence[Gate], ticket: Ticket, target: Target) -> None:
        """Pass every gate in order. Raises what the first closed one raises, the others given back."""
        try:
            for gate in gates:
                self._held.append(await gate.take(ticket, target))
        except BaseException:
            self.settle(Spent(None, None))
            raise

    async def choose(self, chooser: Chooser, ticket: Ticket, target: Target) -> Use:
        """Pass the last gate too. Raises what it raises, the others given back."""
        try:
            use = await chooser.take(ticket, target)
        except BaseException:
            self.settle(Spent(None, None))
            raise
        self._held.append(use)
        return use

    def charges(self) -> list[Charge]:
        """Give what is held of money."""
        return [charge for passage in self._held for charge in passage.charges()]

    def settle(self, spent: Spent) -> list[Charge]:
        """Settle what is held, and give what was charged."""
        charges: list[Charge] = []
        while self._held:
            charges += self._held.pop().settle(spent)
        return charges
