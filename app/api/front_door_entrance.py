"""The part of the front door that turns calls away: before a task, a body or a record is made for them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.api.asgi import RawHeaders, Scope
from app.api.front_door_connection import BoundedProtocol
from app.api.front_door_limits import BodyPace
from app.api.leaving import LEAVING, Leaving
from app.api.porter import UNASKED, Unasked, Verdict
from app.api.turned_away import FixedLines, TurnedAway
from app.gateway.entrance import Place
from app.gateway.lobby import Patience

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

SMALL = 1 << 16
"""Bytes of a body that are read and thrown away, so that the connection can be used again."""


class EntranceProtocol(BoundedProtocol):
    """A connection whose calls ask the porter first."""

    fixed: ClassVar[FixedLines]
    """What all answers of the server have in common."""
    _turned_away: TurnedAway | None = None
    """The refusal of the running request, while the rest of its small body is awaited."""
    _never_begun = False
    """Whether the request that is read was refused at once: it has no cycle, and what comes of it is thrown away."""
    _verdict: Verdict | Unasked = UNASKED
    """Of a request that is about to begin."""

    def on_message_complete(self) -> None:
        """Answer a call that was turned away; its body is out of the way now."""
        super().on_message_complete()
        if self.door.porter.wants_connections_to_end:
            self.cycle.keep_alive = False
        if self._turned_away is not None:
            self._turn_away(self.cycle, self._turned_away)

    def _is_refused(self, method: bytes, *, keep_alive: bool) -> bool:
        """Ask the porter early. Of what it refuses nothing is begun; while answers are owed, nobody is asked."""
        if self.pipeline or self._unanswered() is not None:
            return False
        scope = cast("Scope", self.scope)
        verdict = self._verdict = self.door.porter.ask_early(method, self.url, scope)
        if not isinstance(verdict, TurnedAway):
            return False
        self._verdict = UNASKED
        self._never_begun = True
        self._turned_away = verdict
        self._keep_alive = keep_alive
        if not _is_small(self.headers, expected=self.expect_100_continue):
            self._answer_unbegun(whole=False)
        return True

    def _answer_unbegun(self, *, whole: bool) -> None:
        """Refuse a request that was never begun; `whole`: nothing of it is to come."""
        refusal, self._turned_away = self._turned_away, None
        if refusal is None or self._closed:
            return
        keep = whole and self._keep_alive and not self.door.porter.wants_connections_to_end
        self._say(refusal, keep=keep)
        if not keep:
            self._hang_up(linger=not whole)
        self.on_response_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        scope, porter = cast("Scope", cycle.scope), self.door.porter
        verdict, self._verdict = self._verdict, UNASKED
        if isinstance(verdict, Unasked):
            verdict = porter.ask(scope)
        if isinstance(verdict, TurnedAway):
            self._keep_out(cycle, verdict)
        elif isinstance(verdict, Patience):
            porter.wait(scope, verdict, partial(self._begin, cycle, app), partial(self._keep_out, cycle))
        else:
            self._begin(cycle, app, verdict)

    def _begin(self, cycle: RequestResponseCycle, app: ASGI3Application, place: Place | None) -> None:
        # As uvicorn does it; but a place must come back even from a task that is cancelled before it runs.
        run = cast("ASGI3Application", partial(self._run, cycle, app))
        cast("Scope", cycle.scope)[LEAVING] = Leaving()
        task = self.loop.create_task(cycle.run_asgi(run))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)
        if place is not None:
            task.add_done_callback(lambda _: self.door.porter.leave(place))

    def _keep_out(self, cycle: RequestResponseCycle, refusal: TurnedAway) -> None:
        if cycle.disconnected:
            return
        headers = cast("RawHeaders", cycle.scope["headers"])
        if not (cycle.more_body and _is_small(headers, expected=cycle.waiting_for_100_continue)):
            self._turn_away(cycle, refusal)
            return
        self._turned_away = refusal
        self._pace_rest()

    def _pace_rest(self) -> None:
        """Give a body that will be thrown away no more time than any other."""
        pace = self._pace = BodyPace(self._limits)
        pace.wait(self.loop.time())
        self._arm(pace.due)

    def _turn_away(self, cycle: RequestResponseCycle, refusal: TurnedAway) -> None:
        self._turned_away = None
        keep = cycle.keep_alive and not cycle.more_body
        self._say(refusal, keep=keep)
        cycle.response_started = cycle.response_complete = True
        if not keep:
            self._hang_up(linger=cycle.more_body)
        self.on_response_complete()

    def _say(self, refusal: TurnedAway, *, keep: bool) -> None:
        fixed = self.fixed.of(self.server_state.default_headers)
        self.transport.write(refusal.render(fixed, close=not keep))


def _is_small(headers: RawHeaders, *, expected: bool) -> bool:
    """Say whether the body is; `expected`: the client waits to be told to send it."""
    size = 0
    for name, value in headers:
        if name == b"content-length":
            size = int(value)
        elif name == b"transfer-encoding":
            return False
    return size <= SMALL and not expected
