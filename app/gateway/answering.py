"""What brings the answer of one call to its client: attempts of its own, or a flight that others share."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.config.models import Timeouts
from app.errors import from_upstream
from app.gateway.account import MAY_BE_BILLED, said_bytes
from app.gateway.attempt import Attempt, Stream
from app.gateway.client import Client, Headers
from app.gateway.flight import Seat
from app.gateway.guard import Ticket
from app.gateway.jobs import Jobs, renamed
from app.gateway.pursuit import Beside, Patience
from app.gateway.record import CallLog
from app.gateway.settlement import Settlement
from app.gateway.trial import BROKEN, CANCELLED, SUCCEEDED, Ending, Trial
from app.gateway.upstream import Upstream
from app.gateway.verdicts import verdict_of
from app.store.money import dollars
from providers.errors import UpstreamError
from providers.registry import adapter_for
from providers.types import Chunk, Delivery, Reply, Target


@dataclass(frozen=True, slots=True)
class Line:
    """The way out to one provider."""

    upstream: Upstream
    timeouts: Timeouts
    patience: Patience


@dataclass(slots=True)
class Answering:
    """One call on its way."""

    lines: Mapping[str, Line]
    ticket: Ticket
    client: Client
    settlement: Settlement
    jobs: Jobs

    @property
    def _log(self) -> CallLog:
        return self.settlement.log

    async def attempt(self, trial: Trial, _beside: Beside | None = None) -> Trial:
        """Try a target, to the end of its answer. Gives the same trial. Raises `UpstreamError`."""
        log = self.settlement.log
        try:
            if self.ticket.call.delivery is not Delivery.WHOLE:
                await self._stream(trial)
            else:
                await self._reply(trial)
        except UpstreamError as error:
            _conceal(error, trial.target)
            trial.use.failed(error)
            billed = isinstance(error, MAY_BE_BILLED) or trial.tally.shows_work
            kind = from_upstream(error).kind
            log.end_attempt(trial, Ending(kind, error.status, billed=billed, verdict=verdict_of(error)))
            raise
        except asyncio.CancelledError:
            log.end_attempt(trial, CANCELLED)
            raise
        finally:
            # After any other error, a fault of ours: what the attempt holds must not stay held.
            log.end_attempt(trial, BROKEN)
        return trial

    async def follow(self, seat: Seat) -> None:
        """Have what a flight brings, to its end. Raises what the flight has failed of, or `Unavailable`."""
        log, client, flight = self._log, self.client, seat.flight
        async with seat:
            while frames := await seat.next():
                log.answer_ready()
                await client.write(frames, () if client.committed else self._headers(flight.target))
            log.answer_ready()
            headers = () if client.committed else self._headers(flight.target)
            self.settlement.succeed()
            if self.ticket.call.stream:
                await client.end()
            else:
                await client.reply(flight.body, (*headers, *self._cost()))

    def _attempt(self, trial: Trial) -> Attempt:
        call, target = self.ticket.call, trial.target
        line = self.lines[target.provider]
        timeouts = self.ticket.plan.timeouts.get(target.provider, line.timeouts)
        adapter = adapter_for(target.dialect, call.operation)
        assert adapter is not None, "the plan holds only targets that serve the operation"
        return Attempt(
            call,
            target,
            adapter,
            line.upstream,
            timeouts,
            self._log.clock.wall,
            trial.use.heard,
            trial.tally.add,
        )

    async def _reply(self, trial: Trial) -> None:
        reply = await self._attempt(trial).reply()
        trial.tally.add([Chunk(b"", reply.usage, reply.model, said_bytes(reply))])
        trial.contest.win(trial)
        self._log.answer_ready()
        headers = self._headers(trial.target)
        self._succeed(trial)
        await self.client.reply(self._named(reply, trial.target), (*headers, *self._cost()), reply.media)

    def _named(self, reply: Reply, target: Target) -> bytes:
        """Give the body; what was submitted is called in it by our name."""
        call = self.ticket.call
        if not (job := reply.job or call.job):
            return reply.body
        return renamed(reply.body, self.jobs.name(call.model, target, job, self.ticket.principal.name))

    async def _stream(self, trial: Trial) -> None:
        events = self.ticket.call.delivery is Delivery.EVENTS
        async with self._attempt(trial).stream() as stream:
            held = await trial.contest.begin(trial, stream.batches)
            if frames := _frames(held, events=events):
                self._log.answer_ready()
                await self.client.write(frames, (*self._headers(trial.target), *_media(held)))
            last, headers = await self._pass_on(trial, stream, events=events)
            self._succeed(trial)
            await self.client.end(last, headers)

    async def _pass_on(self, trial: Trial, stream: Stream, *, events: bool) -> tuple[bytes, Headers]:
        """Pass on what comes, and give what comes last, to go out with the end in one write."""
        log, client, tally, decoder = self._log, self.client, trial.tally, stream.decoder
        last, headers = b"", Headers()
        try:
            async for chunks in stream.batches:
                tally.add(chunks)
                # Written out: it is done for every event of every stream.
                frames = b"".join(
                    [b"data: %b\n\n" % chunk.data for chunk in chunks if chunk.data]
                    if events
                    else [chunk.data for chunk in chunks]
                )
                if not frames:
                    continue
                log.answer_ready()
                headers = () if client.committed else (*self._headers(trial.target), *_media(chunks))
                if decoder.finished:
                    last += frames
                else:
                    await client.write(frames, headers)
        except UpstreamError:
            # What came behind the end was no part of the answer, and takes nothing from it.
            if last:
                await client.write(last, headers)
            raise
        return last, headers

    def _succeed(self, trial: Trial) -> None:
        self._log.end_attempt(trial, SUCCEEDED)
        self.settlement.succeed()

    def _headers(self, target: Target | None) -> Headers:
        assert target is not None, "something has answered"
        return (
            ("x-switchgear-provider", target.provider),
            ("x-switchgear-model", target.model),
            ("x-switchgear-attempts", str(self._log.attempts)),
            ("x-switchgear-overhead-ms", f"{self._log.overhead * 1000:.2f}"),
            *self.ticket.headers,
        )

    def _cost(self) -> Headers:
        cost = self._log.cost_nano
        return () if cost is None else (("x-switchgear-cost", dollars(cost)),)


def _conceal(error: UpstreamError, target: Target) -> None:
    address = target.base_url.split("://", 1)[-1]
    error.conceal(target.credential.reveal() if target.credential else "", target.base_url, address)


def _frames(chunks: Sequence[Chunk], *, events: bool) -> bytes:
    return b"".join(b"data: %b\n\n" % chunk.data if events else chunk.data for chunk in chunks if chunk.data)


def _media(chunks: Sequence[Chunk]) -> Headers:
    media = chunks[0].media if chunks else None
    return () if media is None else (("content-type", media),)
