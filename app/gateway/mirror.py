"""Copies of calls for a target that is tried out: sent when the call has been answered, their answers thrown away.

A copy goes the same way as a call, but for the guards: nobody's limits or budgets but the target's
own pay for it. It has a record of its own under the call's request id, with the operation `mirror`
and no key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from structlog.typing import FilteringBoundLogger

from app.config.public_models import Mirror
from app.errors import GatewayError
from app.gateway.client import JSON, Headers
from app.gateway.gateway import Gateway
from app.gateway.guard import Admission, Ticket
from app.gateway.record import CallLog
from app.gateway.units import WORDS
from app.telemetry.clock import Clock
from app.telemetry.record import CallRecord

OPERATION = "mirror"
MOST = 32
"""Copies that are under way at once. What is more is not sent, so that a slow target holds up nothing."""


class Copies:
    """The copies that are under way. It outlives a change of the configuration."""

    def __init__(self, dropped: Callable[[], None], log: FilteringBoundLogger, most: int = MOST) -> None:
        """Send `most` at once, and tell `dropped` of each that is not sent."""
        self._dropped = dropped
        self._log = log
        self._most = most
        self._running: set[asyncio.Task[None]] = set()

    def start(self, copy: Callable[[], Awaitable[None]]) -> None:
        """Send a copy beside everything else, if there are not too many."""
        if len(self._running) >= self._most:
            self._dropped()
            return
        task = asyncio.get_running_loop().create_task(self._send(copy), name="mirror")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """End them all; their records are written."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(set(self._running))

    async def _send(self, copy: Callable[[], Awaitable[None]]) -> None:
        try:
            await copy()
        except Exception:  # noqa: BLE001 - nobody awaits it: what goes wrong must be told of here
            self._log.exception("mirror_failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirroring:
    """The last guard: lets every call pass, and has a share of those that succeed copied."""

    mirrors: Mapping[str, Mirror]
    """By public model."""
    gateway: Gateway
    """The way that copies take."""
    copies: Copies
    clock: Clock
    new_id: Callable[[], str]
    on_finish: Callable[[CallRecord], None]
    random: Callable[[], float]

    async def admit(self, ticket: Ticket) -> Admission:
        """Let the call in, and draw whether it is copied.

        One under a strict budget is not: what its key spends is known beforehand, and this is more.
        """
        mirror = self.mirrors.get(ticket.call.model)
        # Files are gone when the call has ended, and what was submitted is not to be twice.
        if (
            mirror is None
            or ticket.call.operation not in WORDS
            or ticket.strict
            or self.random() >= mirror.share
        ):
            return _UNCOPIED
        return _Copied(self, ticket, mirror.target)

    async def send(self, ticket: Ticket, target: str, record: CallRecord) -> None:
        """Send a copy of a call that has ended so, and wait for its end."""
        log = CallLog(
            id=self.new_id(),
            request_id=record.request_id,
            method=record.method,
            path=record.path,
            clock=self.clock,
            on_finish=self.on_finish,
            operation=OPERATION,
            started=self.clock.monotonic(),
        )
        call = replace(ticket.call, model=target, id=log.id)
        # Its target was chosen by the operator, not by the key; where the key's calls may go still holds.
        sender = replace(ticket.principal, models=(), within=())
        with suppress(GatewayError):
            await self.gateway.serve(call, sender, _Nobody(), log)


def way_of_copies(gateway: Gateway) -> Gateway:
    """Give the way of copies beside that of calls: one try, and no guard."""
    return replace(gateway, guards=(), max_attempts=lambda _model, _targets: 1)


class _Uncopied:
    """The admission of a call that is not copied."""

    def settle(self, record: CallRecord, /) -> CallRecord:
        return record


_UNCOPIED = _Uncopied()


@dataclass(frozen=True, slots=True)
class _Copied:
    mirroring: Mirroring
    ticket: Ticket
    target: str

    def settle(self, record: CallRecord, /) -> CallRecord:
        # Of calls that share an answer one is copied, as one is sent.
        if record.outcome == "success" and record.cache is None:
            self.mirroring.copies.start(lambda: self.mirroring.send(self.ticket, self.target, record))
        return record


class _Nobody:
    """Takes an answer and keeps nothing of it."""

    committed = False
    left = False

    def __init__(self) -> None:
        self.has_content = False

    async def reply(self, body: bytes, headers: Headers, media: str = JSON) -> None:
        """Keep nothing."""

    async def write(self, _frames: bytes, _headers: Headers) -> None:
        """Keep nothing, but that there was something."""
        self.has_content = True

    async def end(self, frames: bytes = b"", headers: Headers = ()) -> None:
        """Keep nothing."""
