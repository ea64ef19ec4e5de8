"""The way of a call: plan, guards, attempts, and one settlement whatever happens.

One coroutine owns the call. It settles before the last bytes leave, so that whoever saw the end of
an answer finds its row in the ledger; and in `finally`, so that an error or a client that leaves
settles too. After the first data event has gone out there is no other attempt.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from app.auth.principal import Principal
from app.config.models import Timeouts
from app.errors import Deadline, GatewayError, from_upstream
from app.gateway.account import said_bytes
from app.gateway.attempt import Attempt, Batches
from app.gateway.balance import Ask
from app.gateway.client import Client, Headers
from app.gateway.forecast import Forecasts
from app.gateway.guard import Chooser, Gate, Guard, Ticket, Use
from app.gateway.pursuit import Patience, Pursuit, Ways
from app.gateway.record import CallLog
from app.gateway.route import Route
from app.gateway.router import Router
from app.gateway.settlement import Settlement
from app.gateway.spending import Prices
from app.gateway.trail import NO_TRAIL, Trail, Trails
from app.gateway.upstream import Upstream
from app.gateway.verdicts import verdict_of
from app.store.money import dollars
from app.telemetry.record import Outcome
from app.usage.ledger import Ledger
from providers.errors import (
    RequestRejected,
    ResponseTooLarge,
    StreamTruncated,
    UpstreamError,
    UpstreamTimeout,
)
from providers.registry import adapter_for
from providers.types import Call, Chunk, Target

_MAY_BE_BILLED = (UpstreamTimeout, StreamTruncated, ResponseTooLarge)
"""After these the provider had begun to work, whatever came of it."""


@dataclass(frozen=True, slots=True)
class Line:
    """The way out to one provider."""

    upstream: Upstream
    timeouts: Timeouts
    patience: Patience


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
    max_attempts: Callable[[str, int], int]
    """Tries that a call may take in all, by its model and how many targets there are."""
    random: Callable[[], float]
    """From 0 up to 1."""
    trails: Trails = NO_TRAIL

    async def serve(
        self, call: Call, principal: Principal, client: Client, log: CallLog, deadline: float = math.inf
    ) -> None:
        """Answer one call to its client, by the deadline (loop time).

        Raises the `GatewayError` that the client is still to be told; the call is settled by then.
        """
        log.call = call
        log.price_version = self.prices.version
        settlement = Settlement(self.guards, self.ledger, log)
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
            async with asyncio.timeout_at(None if math.isinf(deadline) else deadline):
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
        forecast = self.forecasts.of(call, principal.name)
        ask = Ask(call, principal.name, forecast, self.trails.reasons())
        plan = self.router.plan(call.model, call.operation, principal, ask)
        log.first_target = plan.targets[0].name
        trail = self.trails.begin(log.request_id, call.model, plan)
        try:
            ticket = Ticket(log.request_id, call, principal, plan, forecast)
            await settlement.admit(ticket)
            ticket.plan = self.credentials.steer(ticket)
            await self._pursue(ticket, client, settlement, deadline, trail)
        finally:
            trail.close()

    async def _pursue(
        self, ticket: Ticket, client: Client, settlement: Settlement, deadline: float, trail: Trail
    ) -> None:
        log, plan = settlement.log, ticket.plan
        ways = Ways(
            patience=lambda provider: self.lines[provider].patience,
            begin=lambda target: settlement.begin_attempt(
                ticket, target, self.prices.of(target, ticket), self.gates, self.credentials
            ),
            attempt=lambda use: self._try(use, ticket, client, settlement),
            billed=lambda: log.last_billed,
            random=self.random,
            max_attempts=self.max_attempts(ticket.call.model, len(plan.every)),
            trail=trail,
        )
        await Pursuit(ways, ticket, client, deadline, Route(plan)).run()

    async def _try(self, use: Use, ticket: Ticket, client: Client, settlement: Settlement) -> None:
        log = settlement.log
        try:
            attempt = self._attempt(use, ticket, log)
            if ticket.call.stream:
                await self._stream(attempt, ticket, client, settlement)
            else:
                await self._reply(attempt, ticket, client, settlement)
        except UpstreamError as error:
            _conceal(error, use.target)
            use.failed(error)
            billed = isinstance(error, _MAY_BE_BILLED) or log.tally.shows_work
            kind, verdict = from_upstream(error).kind, verdict_of(error)
            log.end_attempt(kind, error.status, billed=billed, complete=False, verdict=verdict)
            raise
        except asyncio.CancelledError:
            log.end_attempt("cancelled", None, billed=True, complete=False)
            raise
        finally:
            # After any other error, a fault of ours: what the attempt holds must not stay held.
            log.end_attempt("internal_error", None, billed=True, complete=False)

    def _attempt(self, use: Use, ticket: Ticket, log: CallLog) -> Attempt:
        call, target, line = ticket.call, use.target, self.lines[use.target.provider]
        timeouts = ticket.plan.timeouts.get(target.provider, line.timeouts)
        adapter = adapter_for(target.dialect, call.operation)
        assert adapter is not None, "the plan holds only targets that serve the operation"
        return Attempt(call, target, adapter, line.upstream, timeouts, log.clock.wall, use.heard)

    async def _reply(self, attempt: Attempt, ticket: Ticket, client: Client, settlement: Settlement) -> None:
        reply = await attempt.reply()
        log = settlement.log
        log.tally.add([Chunk(b"", reply.usage, reply.model, said_bytes(reply))])
        log.answer_ready()
        headers = _answer_headers(ticket, log)
        settlement.succeed(client)
        cost = () if log.cost_nano is None else (("x-switchgear-cost", dollars(log.cost_nano)),)
        await client.reply(reply.body, (*headers, *cost))

    async def _stream(self, attempt: Attempt, ticket: Ticket, client: Client, settlement: Settlement) -> None:
        async with attempt.stream() as batches:
            await self._relay(batches, ticket, client, settlement.log)
            settlement.succeed(client)
            await client.end()

    async def _relay(self, batches: Batches, ticket: Ticket, client: Client, log: CallLog) -> None:
        async for chunks in batches:
            log.tally.add(chunks)
            frames = b"".join([b"data: %b\n\n" % chunk.data for chunk in chunks if chunk.data])
            if frames:
                log.answer_ready()
                await client.write(frames, () if client.committed else _answer_headers(ticket, log))


def _conceal(error: UpstreamError, target: Target) -> None:
    address = target.base_url.split("://", 1)[-1]
    error.conceal(target.credential.reveal() if target.credential else "", target.base_url, address)


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


def _answer_headers(ticket: Ticket, log: CallLog) -> Headers:
    assert log.current is not None
    return (
        ("x-switchgear-provider", log.current.target.provider),
        ("x-switchgear-model", log.current.target.model),
        ("x-switchgear-attempts", str(log.attempts)),
        ("x-switchgear-overhead-ms", f"{log.overhead * 1000:.2f}"),
        *ticket.headers,
    )
