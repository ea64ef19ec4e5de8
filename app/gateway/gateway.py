"""The way of a call: plan, guards, attempts, and one settlement whatever happens.

One coroutine owns the call. It settles before the last bytes leave, so that whoever saw the end of
an answer finds its row in the ledger; and in `finally`, so that an error or a client that leaves
settles too. After the first data event has gone out there is no other attempt.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

from app.auth.principal import Principal
from app.errors import Deadline, GatewayError, from_upstream
from app.gateway.answering import Answering, Line
from app.gateway.balance import Ask
from app.gateway.client import Client, Headers
from app.gateway.flight import Flight
from app.gateway.flights import Flights
from app.gateway.forecast import Forecasts
from app.gateway.guard import Chooser, Gate, Guard, Ticket
from app.gateway.haste import NO_OBJECTIONS, Objections
from app.gateway.hedge import Hedges
from app.gateway.jobs import Jobs
from app.gateway.pursuit import Pursuit, Ways
from app.gateway.race import racing
from app.gateway.record import CallLog
from app.gateway.route import Route
from app.gateway.router import Router
from app.gateway.settlement import Settlement
from app.gateway.spending import Prices
from app.gateway.trail import NO_TRAIL, Trail, Trails
from app.gateway.units import WORDS
from app.telemetry.record import Outcome
from app.usage.ledger import Ledger
from providers.errors import RequestRejected, StreamTruncated, UpstreamError
from providers.types import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Answers calls. Holds nothing of any one of them."""

    router: Router
    lines: Mapping[str, Line]
    """By provider."""
    guards: Sequence[Guard]
    gates: Sequence[Gate]
    credentials: Chooser
    forecasts: Forecasts
    prices: Prices
    ledger: Ledger
    hedges: Hedges
    flights: Flights
    jobs: Jobs
    max_attempts: Callable[[str, int], int]
    """Tries that a call may take in all, by its model and how many targets there are."""
    random: Callable[[], float]
    """From 0 up to 1."""
    objections: Objections = NO_OBJECTIONS
    """What refuses calls by their head."""
    trails: Trails = NO_TRAIL

    async def serve(
        self, call: Call, principal: Principal, client: Client, log: CallLog, deadline: float = math.inf
    ) -> None:
        """Answer one call to its client, by the deadline (loop time).

        Raises the `GatewayError` that the client is still to be told; the call is settled by then.
        """
        log.call = call
        log.price_version = self.prices.version
        settlement = Settlement(self.guards, self.ledger, log, client)
        try:
            await self._in_time(call, principal, client, settlement, deadline)
        except GatewayError as error:
            settlement.close(_outcome(error), 200 if client.committed else error.http_status, error.kind)
            raise
        except asyncio.CancelledError:
            status = 200 if client.committed else 499
            settlement.close("client_cancelled" if client.left else "interrupted", status, None)
            raise
        finally:
            settlement.close("internal_error", 500, "internal_error")

    async def _in_time(
        self, call: Call, principal: Principal, client: Client, settlement: Settlement, deadline: float
    ) -> None:
        """Answer within the time there is. Raises `GatewayError` for all that can go wrong."""
        log = settlement.log
        try:
            async with nullcontext() if math.isinf(deadline) else asyncio.timeout_at(deadline):
                await self._answer(call, principal, client, settlement, deadline)
        except TimeoutError:
            late = "The time that this call was given has passed."
            raise Deadline(late, headers=_after_attempts(log.attempts)) from None
        except UpstreamError as error:
            refusal = from_upstream(error)
            refusal.headers += _after_attempts(log.attempts)
            raise refusal from error

    async def _answer(
        self, call: Call, principal: Principal, client: Client, settlement: Settlement, deadline: float
    ) -> None:
        log = settlement.log
        ticket = self._ticket(call, principal, log)
        trail = self.trails.begin(log.request_id, call.model, ticket.plan)
        try:
            await settlement.admit(ticket)
            ticket.plan = self.credentials.steer(ticket)
            answering = Answering(self.lines, ticket, client, settlement, self.jobs)
            key = self.flights.key(ticket)
            if key is None:
                await self._pursuit(answering, deadline, trail).run()
            else:
                await self._share(key, answering, deadline, trail)
        finally:
            trail.close()

    def _ticket(self, call: Call, principal: Principal, log: CallLog) -> Ticket:
        """Plan the call. Raises `GatewayError`."""
        if call.job:
            return self._ticket_of_job(call, principal, log)
        forecast = self.forecasts.of(call, principal.name)
        ask = Ask(call, principal.name, forecast, self.trails.reasons())
        plan = self.router.plan(call.model, call.operation, principal, ask)
        log.first_target = plan.targets[0].name
        return Ticket(log.request_id, call, principal, plan, forecast)

    def _ticket_of_job(self, call: Call, principal: Principal, log: CallLog) -> Ticket:
        """Plan to go where something was submitted, with the credential that was used then."""
        job = self.jobs.find(call.job, principal.name)
        log.call = call = replace(call, model=job.model, job=job.id)
        plan = self.router.again(job.target, job.model, call.operation, principal)
        log.first_target = job.target
        forecast = self.forecasts.of(call, principal.name)
        return Ticket(log.request_id, call, principal, plan, forecast, mark=job.mark)

    async def _share(self, key: bytes, answering: Answering, deadline: float, trail: Trail) -> None:
        """Answer from the flight of those who ask for the same, or begin it."""
        log = answering.settlement.log
        flight = self.flights.boarding(key)
        if flight is None:
            flight = Flight(log)
            bringing = Answering(self.lines, answering.ticket, flight, answering.settlement, self.jobs)
            self.flights.take_off(key, flight, self._pursuit(bringing, deadline, trail))
        else:
            log.join("single_flight")
        await answering.follow(flight.board(answering.client, deadline))

    def _pursuit(self, answering: Answering, deadline: float, trail: Trail) -> Pursuit:
        ticket, settlement = answering.ticket, answering.settlement
        targets = len(ticket.plan.every)
        # What is beside words costs too much to be asked for twice.
        hedge = self.hedges.of(ticket.call.model) if targets > 1 and ticket.call.operation in WORDS else None
        ways = Ways(
            patience=lambda provider: self.lines[provider].patience,
            begin=lambda target: settlement.begin_attempt(
                ticket, target, self.prices.of(target, ticket), self.gates, self.credentials
            ),
            attempt=answering.attempt if hedge is None else racing(hedge, answering),
            random=self.random,
            max_attempts=self.max_attempts(ticket.call.model, targets),
            trail=trail,
        )
        return Pursuit(ways, ticket, answering.client, deadline, Route(ticket.plan))


def _outcome(error: GatewayError) -> Outcome:
    if isinstance(error, Deadline):
        return "deadline_exceeded"
    cause = error.__cause__
    if isinstance(cause, StreamTruncated):
        return "truncated"
    failed = isinstance(cause, UpstreamError) and not isinstance(cause, RequestRejected)
    return "upstream_error" if failed else "refused"


def _after_attempts(attempts: int) -> Headers:
    """Tell how often it was tried, and an SDK not to multiply that by its own tries."""
    tried = (("x-switchgear-attempts", str(attempts)),)
    return (*tried, ("x-should-retry", "false")) if attempts > 1 else tried
