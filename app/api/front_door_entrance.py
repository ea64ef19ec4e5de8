"""The part of the front door that turns calls away: before a task, a body or a record is made for them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.api.asgi import RawHeaders, Scope, header
from app.api.front_door_connection import BoundedProtocol
from app.api.front_door_limits import BodyPace
from app.api.leaving import LEAVING, Leaving
from app.api.porter import TurnedAway
from app.gateway.entrance import Place

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

SMALL = 1 << 16
"""Bytes of a body that are read and thrown away, so that the connection can be used again."""


class EntranceProtocol(BoundedProtocol):
    """A connection whose calls ask the porter first."""

    _turned_away: TurnedAway | None = None
    """The refusal of the running request, while the rest of its small body is awaited."""

    def on_message_complete(self) -> None:
        """Answer a call that was turned away; its body is out of the way now."""
        super().on_message_complete()
        if self.door.porter.wants_connections_to_end:
            self.cycle.keep_alive = False
        if self._turned_away is not None:
            self._turn_away(self.cycle, self._turned_away)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        scope = cast("Scope", cycle.scope)
        self.door.porter.ask(scope, partial(self._begin, cycle, app), partial(self._keep_out, cycle))

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
        if not (cycle.more_body and _is_small(cycle)):
            self._turn_away(cycle, refusal)
            return
        # A body that will be thrown away has no more time than any other.
        self._turned_away = refusal
        pace = self._pace = BodyPace(self._limits)
        pace.wait(self.loop.time())
        self._arm(pace.due)

    def _turn_away(self, cycle: RequestResponseCycle, refusal: TurnedAway) -> None:
        self._turned_away = None
        keep = cycle.keep_alive and not cycle.more_body
        self.transport.write(refusal.render(self.server_state.default_headers, close=not keep))
        cycle.response_started = cycle.response_complete = True
        if not keep:
            self._hang_up(linger=cycle.more_body)
        self.on_response_complete()


def _is_small(cycle: RequestResponseCycle) -> bool:
    headers = cast("RawHeaders", cycle.scope["headers"])
    if cycle.waiting_for_100_continue or header(headers, b"transfer-encoding") is not None:
        return False
    return int(header(headers, b"content-length") or 0) <= SMALL
