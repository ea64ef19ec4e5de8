"""How a connection of the front door keeps time and ends: deadlines, refusals, closing.

At most one timer a connection: it looks at every deadline when it fires, and re-arms itself for the
nearest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.api.asgi import BREAK_OFF, Scope
from app.api.farewell import Farewell
from app.api.front_door_head import HostRule, render
from app.api.front_door_limits import NEVER, BodyPace, FrontDoorLimits, WriteStall
from app.api.leaving import LEAVING
from app.api.porter import Doorkeeper
from app.errors import GatewayError, RequestTimeout

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application, ASGIReceiveEvent
    from uvicorn.config import Config
    from uvicorn.server import ServerState

Refused = Callable[[str, GatewayError], None]
LAST_LOOK = 0.02
"""Seconds in which a loop that is behind reads what has come before a connection is closed as idle."""


@dataclass(frozen=True, slots=True)
class Door:
    """What every connection of one server shares."""

    limits: FrontDoorLimits
    hosts: HostRule
    new_id: Callable[[], str]
    refused: Refused
    farewell: Farewell
    porter: Doorkeeper


@dataclass(frozen=True, slots=True)
class Exit:
    """The part of a transport that an answer uses, with our way of closing."""

    write: Callable[[bytes], None]
    close: Callable[[], None]
    is_closing: Callable[[], bool]


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's connection with deadlines on every wait, and ends that lose no answer."""

    door: ClassVar[Door]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        limits = self._limits = self.door.limits
        self.parser = httptools.HttpRequestParser(self)
        self.timeout_keep_alive = limits.keep_alive
        self._running: RequestResponseCycle | None = None
        self._begun = self._reading_body = False
        """A request's first byte is here, its headers are not; or they are, and its body is not."""
        self._deaf = self._closed = False
        """What comes is thrown away; nothing more is sent either."""
        self._keep_alive = False
        self._quiet = self._head_size = 0
        self._plain_head = b""
        self._head_by = self._close_by = self._timer_at = NEVER
        self._pace: BodyPace | None = None  # until the application waits for a body: it rarely does
        self._stall = WriteStall(limits)
        self._timer: asyncio.TimerHandle | None = None

    # The transport's side.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Start the first header deadline: a silent client is a slow one."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(self._limits.write_buffer)
        self._exit = cast("asyncio.Transport", Exit(transport.write, self._end, self._ended))
        self._expect_head()
        if self.door.farewell.begun:
            self.leave(self.door.farewell.silence)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell every request of this connection; uvicorn tells only the last."""
        self._deaf = self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for cycle in (self._running, *(cycle for cycle, _ in self.pipeline)):
            if cycle is not None and not cycle.response_complete:
                _cut(cycle)
        self.pipeline.clear()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start the clock of a client that does not read."""
        super().pause_writing()
        self._watch_stall()

    def resume_writing(self) -> None:
        """Stop it, unless we only wait for the rest to leave."""
        super().resume_writing()
        if not self._closed:
            self._stall.stop()

    # The application's side.

    def _run(
        self, cycle: RequestResponseCycle, app: ASGI3Application, scope: Any, receive: Any, send: Any
    ) -> Awaitable[None]:
        if cycle.disconnected:
            return _nothing()  # refused or gone before it could start: it shall cost nothing
        scope[BREAK_OFF] = partial(self._break_off, cycle)
        # Most bodies are here before the application is: those need no clock.
        return app(scope, partial(self._receive, cycle) if cycle.more_body else receive, send)

    def _break_off(self, cycle: RequestResponseCycle) -> None:
        cycle.disconnected = True
        self._hang_up(linger=False)

    async def _receive(self, cycle: RequestResponseCycle) -> ASGIReceiveEvent:
        if cycle.body or not cycle.more_body or self._closed:
            return await cycle.receive()
        pace = self._pace = self._pace or BodyPace(self._limits)
        pace.wait(self.loop.time())
        self._arm(pace.due)
        try:
            return await cycle.receive()
        finally:
            pace.rest(self.loop.time())

    def on_response_complete(self) -> None:
        """Go on to the next request, unless there is none to come."""
        if self._closed:
            self.server_state.total_requests += 1
            return
        super().on_response_complete()
        if self._head_by < NEVER:
            self._unset_keepalive_if_required()  # the next request has begun, and has its own deadline

    def shutdown(self) -> None:
        """Close when idle; else after the answers that are owed. uvicorn's own server stops so."""
        self.door.farewell.begin(0.0)
        self.leave(0.0)

    def leave(self, silence: float) -> None:
        """End with the next answer that can say `connection: close`, or after so many seconds of silence.

        A client whose answer has begun cannot be told by it. It may ask once more, and no call of
        its is lost to a close that it could not foresee.
        """
        self._keep_alive = False
        self.timeout_keep_alive = silence  # type: ignore[assignment]  # uvicorn has whole seconds, the loop any
        if self._unanswered() is not None:
            if not self.cycle.response_started:
                self.cycle.keep_alive = False
        elif not self._begun:
            self._unset_keepalive_if_required()
            self._head_by = min(self._head_by, self.loop.time() + silence)
            self._arm(self._head_by)

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, unless a request is here already and waits to be read."""
        self.loop.call_later(LAST_LOOK, self._hang_up_if_idle)

    def _hang_up_if_idle(self) -> None:
        if not self._begun and not self._reading_body and self._unanswered() is None:
            self._hang_up(linger=False)

    # Deadlines.

    def _expect_head(self) -> None:
        self._head_by = self.loop.time() + self._limits.header_deadline
        self._arm(self._head_by)

    def _watch_stall(self) -> None:
        self._stall.start(self.loop.time(), self.transport.get_write_buffer_size())
        self._arm(self._stall.due)

    def _arm(self, deadline: float) -> None:
        if deadline == NEVER or self.parser is None:
            return
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self.loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = self.loop.time()
        if self._head_by <= now:
            self._head_late()
        pace = self._pace
        if pace is not None and pace.due <= now and pace.too_slow(now):
            self._refuse(RequestTimeout("The request body came too slowly."))
        if self._close_by <= now:
            self._close_transport()
        if self._stall.due <= now and self._stall.gave_up(now, self.transport.get_write_buffer_size()):
            self.transport.abort()
            return
        body_by = NEVER if self._pace is None else self._pace.due
        self._arm(min(self._head_by, body_by, self._stall.due, self._close_by))

    def _head_late(self) -> None:
        if self._begun or self._unanswered() is not None:
            self._refuse(RequestTimeout("The request headers came too slowly."))
        else:
            self._head_by = NEVER
            self.timeout_keep_alive_handler()

    # The ends.

    def _unanswered(self) -> RequestResponseCycle | None:
        running = self._running
        return None if running is None or running.response_complete else running

    def _refuse(self, error: GatewayError) -> None:
        """End the connection over what was just received; earlier requests get their answers first."""
        if self._deaf:
            return
        self._deaf = True
        self._head_by = NEVER
        running = self._unanswered()
        at_fault = self.cycle if self._reading_body else None
        if running is not None and running is not at_fault:
            self._finish_earlier(running, at_fault)
            return
        if running is not None:
            _cut(running)
        if running is None or not running.response_started:
            request_id = self.door.new_id()
            self.transport.write(render(error, request_id, self.server_state.default_headers))
            self.door.refused(request_id, error)
        self._hang_up(linger=True)

    def _finish_earlier(self, running: RequestResponseCycle, at_fault: RequestResponseCycle | None) -> None:
        if self.pipeline and self.pipeline[0][0] is at_fault:
            self.pipeline.popleft()
        self.cycle = self.pipeline[0][0] if self.pipeline else running
        self.cycle.keep_alive = False

    def _end(self) -> None:
        self._hang_up(linger=self._reading_body or self._deaf)

    def _ended(self) -> bool:
        return self._closed or self.transport.is_closing()

    def _hang_up(self, *, linger: bool) -> None:
        """Send what is written, then close. With `linger`, read on for a moment.

        A close with bytes unread resets the connection, and the reset may overtake our answer
        (RFC 9112, 9.6).
        """
        if self._closed:
            return
        self._deaf = self._closed = True
        self._head_by = NEVER
        self._pace = None
        if linger and self.transport.can_write_eof() and not self.transport.is_closing():
            self.flow.resume_reading()
            self.transport.write_eof()
            self._close_by = self.loop.time() + self._limits.linger
            self._arm(self._close_by)
        else:
            self._close_transport()

    def _close_transport(self) -> None:
        self._close_by = NEVER
        self.transport.close()
        if self.transport.get_write_buffer_size():
            self._watch_stall()


async def _nothing() -> None:
    pass


def _cut(cycle: RequestResponseCycle) -> None:
    cycle.disconnected = True
    cycle.message_event.set()
    leaving = cast("Scope", cycle.scope).get(LEAVING)
    if leaving is not None:
        leaving.tell()
