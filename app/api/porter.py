"""Asks each call whether it may come in, from its head alone, and says no in as few steps as can be."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

from app.api.asgi import Endpoints, RawHeaders, Scope, request_id_of
from app.api.snapshot import Current
from app.errors import Unavailable
from app.gateway.entrance import Place
from app.gateway.lobby import Lobby
from app.limits.places import Reason
from app.telemetry.refusals import Refusals

SOONEST, LATEST = 0.5, 1.5
"""Seconds after which clients are asked to try again: a random time between, or all come back at once."""
_AGAIN = "Try again in a moment."
_MESSAGES: dict[Reason, str] = {
    "total": f"As many calls are under way as `server.max_inflight` lets in. {_AGAIN}",
    "priority": f"The places that are left are kept for keys of a higher priority. {_AGAIN}",
    "tenant": f"This key has its share of the calls under way, and others wait. {_AGAIN}",
    "lag": f"More calls come in than can be begun. {_AGAIN}",
    "memory": f"There is no memory left for more calls. {_AGAIN}",
}
_CLOSE = b"connection: close\r\n"
STATUS = Unavailable.status
CODE = Unavailable.default_code


def _unchanging(reason: Reason) -> tuple[bytes, bytes]:
    body = Unavailable(_MESSAGES[reason]).body()
    head = f"HTTP/1.1 {STATUS} Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return head.encode(), body


_PARTS: dict[Reason, tuple[bytes, bytes]] = {reason: _unchanging(reason) for reason in _MESSAGES}


class TurnedAway(NamedTuple):
    """A call that may not come in."""

    reason: Reason
    request_id: str
    wait: float
    """Seconds."""

    def render(self, server_headers: RawHeaders, *, close: bool) -> bytes:
        """Give the whole answer."""
        head, body = _PARTS[self.reason]
        varying = (
            f"x-request-id: {self.request_id}\r\nretry-after: {math.ceil(self.wait)}\r\n"
            f"retry-after-ms: {math.ceil(self.wait * 1000)}\r\n"
        )
        fixed = [b"%b: %b\r\n" % field for field in server_headers]
        return b"".join((head, varying.encode(), _CLOSE if close else b"", *fixed, b"\r\n", body))


Begin = Callable[[Place | None], None]
"""Begins the call; what needs no place has none."""
KeepOut = Callable[[TurnedAway], None]


class Doorkeeper(Protocol):
    """Says who may come in."""

    @property
    def wants_connections_to_end(self) -> bool:
        """Whether connections had better end with their answer."""
        ...

    def ask(self, scope: Scope, begin: Begin, keep_out: KeepOut) -> None:
        """Call one of the two, now or in a moment."""
        ...

    def leave(self, place: Place) -> None:
        """Take a place back."""
        ...


class NoPorter:
    """Lets everything in."""

    wants_connections_to_end = False

    def ask(self, _scope: Scope, begin: Begin, _keep_out: KeepOut) -> None:
        """Begin it."""
        begin(None)

    def leave(self, place: Place) -> None:
        """Take it back, though none was given."""
        place.give_back()


class Porter:
    """Stands at the front door."""

    def __init__(
        self,
        endpoints: Endpoints,
        current: Current,
        lobby: Lobby,
        random: Callable[[], float],
        new_id: Callable[[], str],
        refusals: Refusals,
    ) -> None:
        """Take for calls what comes to `endpoints`: everything else comes in always."""
        self._endpoints = endpoints
        self._current = current
        self._lobby = lobby
        self._random = random
        self._new_id = new_id
        self._refusals = refusals

    @property
    def wants_connections_to_end(self) -> bool:
        """Whether memory is scarce."""
        return self._lobby.entrance.memory_is_scarce

    def ask(self, scope: Scope, begin: Begin, keep_out: KeepOut) -> None:
        """Judge by path, key and what is under way."""
        if scope["method"] not in (self._endpoints.at(scope["path"]) or ()):
            begin(None)
            return
        caller = self._current.snapshot.callers.glimpse(scope["headers"])
        # Nobody knows yet who an unknown key is: all of them share one part.
        tenant, priority = (caller.name, caller.priority) if caller else ("", "normal")
        self._lobby.ask(tenant, priority, begin, lambda reason: keep_out(self._refusal(scope, reason)))

    def leave(self, place: Place) -> None:
        """Take a place back, for who waits for one."""
        self._lobby.leave(place)

    def _refusal(self, scope: Scope, reason: Reason) -> TurnedAway:
        wait = SOONEST + (LATEST - SOONEST) * self._random()
        refusal = TurnedAway(reason, request_id_of(scope["headers"], self._new_id), wait)
        self._refusals.tell(refusal.request_id, STATUS, CODE, reason)
        return refusal
