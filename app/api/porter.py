"""Asks each call whether it may come in, from its head alone, and says no in as few steps as can be."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from app.api.asgi import Endpoint, Endpoints, Scope, request_id_of
from app.api.snapshot import Current
from app.api.turned_away import Forms, TurnedAway, overloaded
from app.auth.principal import Principal
from app.errors import GatewayError, Unavailable
from app.gateway.entrance import Place
from app.gateway.lobby import Lobby, Patience
from app.limits.places import Reason
from app.telemetry.refusals import Refusals

SOONEST, LATEST = 0.5, 1.5
"""Seconds after which clients are asked to try again: a random time between, or all come back at once."""
STATUS = Unavailable.status
CODE = Unavailable.default_code


class Unasked:
    """What is said of a call that nobody was asked about yet."""


UNASKED: Final = Unasked()
Verdict = TurnedAway | Place | Patience | None
"""Of a call that comes in: its place, or none where it needs none. With `Patience` it may wait for one."""
Begin = Callable[[Place], None]
KeepOut = Callable[[TurnedAway], None]


class Doorkeeper(Protocol):
    """Says who may come in."""

    @property
    def wants_connections_to_end(self) -> bool:
        """Whether connections had better end with their answer."""
        ...

    def ask_early(self, method: bytes, target: bytes, scope: Scope) -> Verdict | Unasked:
        """Judge a call before anything is made for it; `scope` has its headers and its client, and gets the rest."""
        ...

    def ask(self, scope: Scope) -> Verdict:
        """Judge a call."""
        ...

    def wait(self, scope: Scope, patience: Patience, begin: Begin, keep_out: KeepOut) -> None:
        """Call one of the two in a moment."""
        ...

    def leave(self, place: Place) -> None:
        """Take a place back."""
        ...


class NoPorter:
    """Lets everything in."""

    wants_connections_to_end = False

    def ask_early(self, _method: bytes, _target: bytes, _scope: Scope) -> Verdict | Unasked:
        """Say nothing."""
        return UNASKED

    def ask(self, _scope: Scope) -> Verdict:
        """Let it in."""
        return None

    def wait(self, _scope: Scope, _patience: Patience, begin: Begin, keep_out: KeepOut) -> None:
        """Nobody has to."""

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
        self._usual = endpoints.usual
        self._current = current
        self._lobby = lobby
        self._random = random
        self._new_id = new_id
        self._refusals = refusals
        self._forms = Forms()

    @property
    def wants_connections_to_end(self) -> bool:
        """Whether memory is scarce."""
        return self._lobby.entrance.memory_is_scarce

    def ask_early(self, method: bytes, target: bytes, scope: Scope) -> Verdict | Unasked:
        """Judge a call at one of the usual places."""
        endpoint = self._usual.get((method, target))
        if endpoint is None:
            return UNASKED
        scope["method"], scope["path"] = method.decode(), target.decode()
        return self._judge(endpoint, scope)

    def ask(self, scope: Scope) -> Verdict:
        """Judge by path, key, and what is under way."""
        endpoint = (self._endpoints.at(scope["path"]) or {}).get(scope["method"])
        return None if endpoint is None else self._judge(endpoint, scope)

    def wait(self, scope: Scope, patience: Patience, begin: Begin, keep_out: KeepOut) -> None:
        """Wait for a place."""
        self._lobby.wait(patience, begin, lambda reason: keep_out(self._overloaded(scope, reason)))

    def leave(self, place: Place) -> None:
        """Take a place back, for who waits for one."""
        self._lobby.leave(place)

    def _judge(self, endpoint: Endpoint, scope: Scope) -> Verdict:
        snapshot = self._current.snapshot
        caller = snapshot.callers.judge(scope)
        if isinstance(caller, GatewayError):
            return self._refused(endpoint, scope, None, caller)
        if caller is None:
            # Nobody knows yet whose token it is: all of those share one part.
            tenant, priority = "", "normal"
        else:
            objection = snapshot.gateway.objections.objection(caller)
            if objection is not None:
                return self._refused(endpoint, scope, caller, objection)
            tenant, priority = caller.name, caller.priority
        verdict = self._lobby.ask(tenant, priority)
        return self._overloaded(scope, verdict) if isinstance(verdict, str) else verdict

    def _refused(
        self, endpoint: Endpoint, scope: Scope, caller: Principal | None, error: GatewayError
    ) -> TurnedAway:
        self._lobby.entrance.note_refusal()
        request_id = request_id_of(scope["headers"], self._new_id)
        kind = endpoint.operation, caller.name if caller else "", error.kind
        self._refusals.tell_of_call(kind, partial(endpoint.refusal, scope, request_id, caller, error))
        return self._forms.answer(error, request_id)

    def _overloaded(self, scope: Scope, reason: Reason) -> TurnedAway:
        wait = SOONEST + (LATEST - SOONEST) * self._random()
        request_id = request_id_of(scope["headers"], self._new_id)
        self._refusals.tell(request_id, STATUS, CODE, reason)
        return overloaded(reason, request_id, wait)
