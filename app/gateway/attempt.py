"""One try of one target: the request, and its answer whole or as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from app.config.models import Timeouts
from app.gateway.parts import Part, Parts
from app.gateway.upstream import Answer, Upstream
from app.gateway.waiting import Waiting
from providers.adapter import Adapter, Knowing, Pointing, Splitting, StreamDecoder
from providers.at_once import chunk_of
from providers.errors import Disconnected, MalformedResponse, UnsupportedParameter, UpstreamError
from providers.registry import DIALECTS
from providers.types import Call, Chunk, Delivery, HttpRequest, RateLimits, Reply, Target

END_OF_BODY = 0.1
"""Seconds from a stream's terminal event to the end of its body. Providers send both at once."""
Batches = AsyncGenerator[Sequence[Chunk]]
"""The chunks of a stream, by what one read from the upstream gave."""


class Stream(NamedTuple):
    """An answer that comes in parts."""

    batches: Batches
    decoder: StreamDecoder
    """Once it has finished, what was given last is the end."""


@dataclass(slots=True)
class Attempt:
    """Everything that one try needs."""

    call: Call
    target: Target
    adapter: Adapter
    upstream: Upstream
    timeouts: Timeouts
    now: Callable[[], float]
    """Unix seconds."""
    heard: Callable[[int, RateLimits | None], None]
    """Told the status of the answer, and what its head says is left of the provider's limits."""
    billed: Callable[[Sequence[Chunk]], None] = lambda _: None
    """Told what a call may be billed that was sent in parts and has failed."""

    async def reply(self) -> Reply:
        """Ask for a whole answer. Raises `UpstreamError`."""
        if self.call.job and isinstance(self.adapter, Knowing):
            return self.adapter.known(self.call, self.target)
        if self.call.several and isinstance(self.adapter, Splitting):
            calls = self.adapter.split(self.call, self.target)
            if len(calls) > 1:
                return await self._in_parts(self.adapter, calls)
        request = self._built(self.call)
        ends = _loop_time() + self.timeouts.response
        with Waiting() as waiting:
            async with await waiting.until(ends, self.upstream.send(request), "its answer") as answer:
                self._hear(answer)
                body = await waiting.until(ends, self._read(answer), "the rest of its answer")
        return self.adapter.parse_response(self.call, self.target, answer.head, body)

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[Stream]:
        """Ask for a stream. What is given ends only after the terminal event. Raises `UpstreamError`."""
        request = self._built(self.call)
        first_event_by = _loop_time() + self.timeouts.first_event
        with Waiting() as waiting:
            if self.call.job and isinstance(self.adapter, Pointing):
                request = await self._after(request, self.adapter, first_event_by, waiting)
            answer = await waiting.until(first_event_by, self.upstream.send(request), "its first event")
            async with answer:
                self._hear(answer)
                whole = await self._in_place_of_stream(answer, first_event_by, waiting)
                decoder = self.adapter.open_stream(self.call, self.target, answer.head)
                batches = (
                    self._batches(decoder, answer, first_event_by, waiting)
                    if whole is None
                    else _as_batch(whole)
                )
                async with aclosing(batches):
                    yield Stream(batches, decoder)
                await _read_on(answer)

    async def _in_parts(self, adapter: Splitting, calls: Sequence[Call]) -> Reply:
        """Ask for the parts of an answer, all within the time of one. Raises `UpstreamError`."""
        # One that cannot be asked for keeps all from being sent.
        parts = Parts([Part(call, self._built(call)) for call in calls], self._part)
        ends = _loop_time() + self.timeouts.response
        try:
            with Waiting() as waiting:
                replies = await waiting.until(ends, parts.replies(), "all parts of its answer")
            return adapter.join(calls, replies)
        except BaseException:
            self.billed(parts.so_far())
            raise

    async def _part(self, part: Part) -> Reply:
        async with await self.upstream.send(part.request) as answer:
            self._hear(answer)
            body = await self._read(answer)
        return self.adapter.parse_response(part.call, self.target, answer.head, body)

    def _built(self, call: Call) -> HttpRequest:
        try:
            return self.adapter.build_request(call, self.target)
        except UnsupportedParameter as refusal:
            refusal.tell_of(self.target.name)
            raise

    async def _after(
        self, request: HttpRequest, adapter: Pointing, by: float, waiting: Waiting
    ) -> HttpRequest:
        """Send a request, and give the one that its answer leads to. Raises `UpstreamError`."""
        async with await waiting.until(by, self.upstream.send(request), "its answer") as answer:
            self._hear(answer)
            body = await waiting.until(by, self._read(answer), "the rest of its answer")
        following = adapter.next_request(self.call, self.target, answer.head, body)
        if urlsplit(following.url)[:2] != urlsplit(request.url)[:2]:
            # An answer must not say where a credential is shown, nor what this machine is to reach.
            raise MalformedResponse("the provider pointed to another server than its own")
        return following

    async def _batches(
        self, decoder: StreamDecoder, answer: Answer, first_event_by: float, waiting: Waiting
    ) -> Batches:
        ends = _loop_time() + self.timeouts.stream_total
        by, awaited = first_event_by, "its first event"
        piece = b"-"
        while piece and not decoder.finished:
            try:
                piece = await waiting.until(by, answer.piece(), awaited)
            except Disconnected:
                if self.call.delivery is Delivery.BYTES:
                    raise
                # Whether the answer was whole is for the decoder to say: some servers close hard.
                piece = b""
            try:
                chunks = decoder.feed(piece) if piece else decoder.close()
            except UpstreamError as error:
                if error.chunks:
                    yield error.chunks
                raise
            if chunks:
                yield chunks
                awaited = "more of its stream"
            if awaited != "its first event":
                by = min(_loop_time() + self.timeouts.idle, ends)

    async def _in_place_of_stream(self, answer: Answer, by: float, waiting: Waiting) -> Chunk | None:
        """Read an answer that is no stream: for the error that it tells, or since some models have none to give.

        Raises `UpstreamError`.
        """
        kind = answer.head.headers.get("content-type", "").partition(";")[0].strip().lower()
        if answer.head.status == 200 and self.call.delivery is Delivery.BYTES:
            return None
        if answer.head.status == 200 and kind in (DIALECTS[self.target.dialect].stream_type, ""):
            return None
        body = await waiting.until(by, self._read(answer), "the rest of its answer")
        reply = self.adapter.parse_response(self.call, self.target, answer.head, body)
        if self.call.delivery is Delivery.FRAMES:
            # It is paid for (openrouter.ai, images; platform.openai.com, whisper-1).
            return chunk_of(self.call, reply)
        raise MalformedResponse(f"the provider answered with `{kind}` where an event stream was asked for")

    def _hear(self, answer: Answer) -> None:
        self.heard(answer.head.status, self.adapter.parse_limits(answer.head, self.now()))

    async def _read(self, answer: Answer) -> bytes:
        if 200 <= answer.head.status < 300:
            return await answer.read()
        body = b""
        # The head says already that it failed: a body that cannot be read takes nothing from that.
        with suppress(UpstreamError):
            body = await answer.read()
        raise self.adapter.parse_error(answer.head, body, self.now())


async def _as_batch(chunk: Chunk) -> Batches:
    yield (chunk,)


async def _read_on(answer: Answer) -> None:
    """Read to the end of the body if that is near, so that the connection can be used again."""
    with suppress(TimeoutError, UpstreamError):
        async with asyncio.timeout(END_OF_BODY):
            while await answer.piece():
                pass


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
