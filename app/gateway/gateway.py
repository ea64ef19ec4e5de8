"""The way of a call: plan, guards, attempts, and one settlement whatever happens.

One coroutine owns the call. It settles before the last bytes leave, so that whoever saw the end of
an answer finds its row in the ledger; and in `finally`, so that an error or a client that leaves
settles too. After the first data event has gone out there is no other attempt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.auth.principal import Principal
from app.config.models import Timeouts
from app.errors import GatewayError, from_upstream
from app.gateway.attempt import Attempt, Batches
from app.gateway.client import Client, Headers
from app.gateway.guard import Admissions, Guard, Ticket
from app.gateway.record import CallLog
from app.gateway.router import Plan, Router
from app.gateway.upstream import Upstream
from app.telemetry.record import Outcome
from providers.errors import RequestRejected, StreamTruncated, UpstreamError, UpstreamTimeout
from providers.registry import adapter_for
from providers.types import Call, Chunk, Target


@dataclass(frozen=True, slots=True)
class Line:
    """The way out to one provider."""

    upstream: Upstream
    timeouts: Timeouts


class Gateway:
    """Answers calls. Holds nothing of any one of them."""

    def __init__(self, router: Router, lines: Mapping[str, Line], guards: Sequence[Guard]) -> None:
        self._router = router
        self._lines = lines
        self._guards = guards

    async def serve(self, call: Call, principal: Principal, client: Client, log: CallLog) -> None:
        """Answer one call to its client.

        Raises the `GatewayError` that the client is still to be told; the call is settled by then.
        """
        log.call = call
        settlement = _Settlement(Admissions(self._guards), log)
        try:
            plan = self._router.plan(call.model, call.operation, principal)
            await settlement.admissions.take(Ticket(log.request_id, call, principal, plan))
            await self._first_success(plan, call, client, settlement)
        except UpstreamError as error:
            refusal = from_upstream(error)
            settlement.close(_outcome(error), _status(client, refusal), refusal.code)
            raise refusal from error
        except GatewayError as error:
            settlement.close("refused", _status(client, error), error.code)
            raise
        except asyncio.CancelledError:
            status = 200 if client.committed else 499
            settlement.close("client_cancelled" if client.left else "interrupted", status, None)
            raise
        finally:
            settlement.close("internal_error", 500, "internal_error")

    async def _first_success(self, plan: Plan, call: Call, client: Client, settlement: _Settlement) -> None:
        """Try the targets in order. Raises the last one's `UpstreamError`."""
        *others, last = plan.targets
        for target in others:
            try:
                return await self._try(target, call, client, settlement)
            except UpstreamError as error:
                if client.has_content or not error.try_next:
                    raise
        return await self._try(last, call, client, settlement)

    async def _try(self, target: Target, call: Call, client: Client, settlement: _Settlement) -> None:
        log = settlement.log
        line = self._lines[target.provider]
        adapter = adapter_for(target.dialect, call.operation)
        assert adapter is not None, "the plan holds only targets that serve the operation"
        attempt = Attempt(call, target, adapter, line.upstream, line.timeouts, log.clock.wall)
        log.begin_attempt(target)
        try:
            if call.stream:
                await self._stream(attempt, client, settlement)
            else:
                await self._reply(attempt, client, settlement)
        except UpstreamError as error:
            error.conceal(target.credential.reveal() if target.credential else "", target.base_url)
            log.accepted = isinstance(error, UpstreamTimeout | StreamTruncated) or log.tally.text_bytes > 0
            log.end_attempt(from_upstream(error).code, error.status)
            raise
        except asyncio.CancelledError:
            log.end_attempt("cancelled", None)
            raise

    async def _reply(self, attempt: Attempt, client: Client, settlement: _Settlement) -> None:
        reply = await attempt.reply()
        settlement.log.tally.add([Chunk(reply.body, reply.usage, reply.model)])
        settlement.log.answer_ready()
        settlement.succeed()
        await client.reply(reply.body, _answer_headers(settlement.log))

    async def _stream(self, attempt: Attempt, client: Client, settlement: _Settlement) -> None:
        async with attempt.stream() as batches:
            await self._relay(batches, client, settlement.log)
            settlement.succeed()
            await client.end()

    async def _relay(self, batches: Batches, client: Client, log: CallLog) -> None:
        async for chunks in batches:
            log.tally.add(chunks)
            frames = b"".join([b"data: %b\n\n" % chunk.data for chunk in chunks if chunk.data])
            if frames:
                log.answer_ready()
                await client.write(frames, _answer_headers(log))


class _Settlement:
    """The end of one call, which comes once."""

    def __init__(self, admissions: Admissions, log: CallLog) -> None:
        self.admissions = admissions
        self.log = log

    def succeed(self) -> None:
        self.log.end_attempt("success", 200)
        self.close("success", 200, None)

    def close(self, outcome: Outcome, status: int, error_type: str | None) -> None:
        self.admissions.settle(self.log.finish(outcome, status, error_type))


def _outcome(error: UpstreamError) -> Outcome:
    if isinstance(error, StreamTruncated):
        return "truncated"
    return "refused" if isinstance(error, RequestRejected) else "upstream_error"


def _status(client: Client, error: GatewayError) -> int:
    return 200 if client.committed else error.http_status


def _answer_headers(log: CallLog) -> Headers:
    assert log.target is not None
    return (
        ("x-switchgear-provider", log.target.provider),
        ("x-switchgear-model", log.target.model),
        ("x-switchgear-attempts", str(log.attempts)),
        ("x-switchgear-overhead-ms", f"{log.overhead * 1000:.2f}"),
    )
