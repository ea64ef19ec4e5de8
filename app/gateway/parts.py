"""A call that is sent in parts, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from app.gateway.account import MAY_BE_BILLED
from app.limits.estimate import input_estimate
from providers.batches import added_up
from providers.errors import ResponseTooLarge, UpstreamError
from providers.types import Call, Chunk, HttpRequest, Reply, Usage

AT_ONCE = 4
"""Parts under way: one call must not use up at once what a credential may ask in a minute."""
MOST_BYTES = 256 << 20
"""Of all answers together: 2,048 vectors of 4,096 numbers as text have some 180 MB."""


@dataclass(slots=True)
class Part:
    """One of the requests, and what has become of it."""

    call: Call
    request: HttpRequest
    reply: Reply | None = None
    open: bool = False
    """Whether the provider may be at work on it, or have been when it was given up."""

    @property
    def used(self) -> Usage | None:
        """What it may be billed: the provider's own count, else an estimate; None for nothing."""
        if self.reply is not None and self.reply.usage is not None:
            return self.reply.usage
        return Usage(input_tokens=input_estimate(self.call)) if self.open else None


@dataclass(slots=True)
class Parts:
    """All of one attempt."""

    parts: Sequence[Part]
    ask: Callable[[Part], Awaitable[Reply]]
    held: int = 0
    """Bytes of the answers that have come."""

    async def replies(self) -> list[Reply]:
        """Give all answers, in order. Raises the first failure, the others given up."""
        # The first goes alone: what would refuse all, a bad key or an unknown model, is asked once.
        await self._ask_on(iter(self.parts[:1]))
        others = iter(self.parts[1:])
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(self._ask_on(others))
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return [part.reply for part in self.parts if part.reply is not None]

    def so_far(self) -> Sequence[Chunk]:
        """Give what is to be accounted for when they do not all come to an answer."""
        used = [each for part in self.parts if (each := part.used) is not None]
        return [Chunk(b"", added_up(used))] if used else ()

    async def _ask_on(self, waiting: Iterator[Part]) -> None:
        for part in waiting:
            part.open = True
            try:
                part.reply = await self.ask(part)
            except UpstreamError as error:
                part.open = isinstance(error, MAY_BE_BILLED)
                raise
            self.held += len(part.reply.body)
            if self.held > MOST_BYTES:
                raise ResponseTooLarge(f"the provider's answers are larger than {MOST_BYTES} bytes together")
