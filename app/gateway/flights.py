"""Which calls ask for the same, and the flights that they can join."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Collection

from app.gateway.flight import Flight
from app.gateway.guard import Ticket
from app.gateway.pursuit import Pursuit
from app.gateway.units import WORDS
from providers.types import Call, Operation


class Flights:
    """The flights under way, by what was asked and by whom.

    They belong to one configuration: a flight has its connections, which those who wait for it hold.
    """

    def __init__(self, models: Collection[str]) -> None:
        """Take the public models whose calls are shared."""
        self._models = frozenset(models)
        self._boarding: dict[bytes, Flight] = {}
        # The loop itself holds no task fast.
        self._tasks: set[asyncio.Task[None]] = set()

    def key(self, ticket: Ticket) -> bytes | None:
        """Tell calls apart that are to be answered apart; None for one that is never shared."""
        call = ticket.call
        if call.model not in self._models or call.operation not in WORDS or not _is_deterministic(call):
            return None
        # A stream and a whole answer are two things, but `false` and nothing are the same.
        body = {**call.body, "stream": call.stream}
        who = ticket.principal
        # Two tokens of one user may allow different models and regions.
        rights = [who.models, who.within, who.regions, who.regions_within]
        text = json.dumps([who.name, who.is_master, rights, call.operation, body], sort_keys=True)
        return hashlib.sha256(text.encode()).digest()

    def boarding(self, key: bytes) -> Flight | None:
        """Give the flight that such a call can still join."""
        flight = self._boarding.get(key)
        return flight if flight is not None and flight.boards else None

    def take_off(self, key: bytes, flight: Flight, pursuit: Pursuit) -> None:
        """Begin a flight that others can join."""
        self._boarding[key] = flight
        task = flight.take_off(pursuit)
        self._tasks.add(task)

        def land(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if self._boarding.get(key) is flight:
                del self._boarding[key]

        task.add_done_callback(land)


def _is_deterministic(call: Call) -> bool:
    """Whether the client asks for the same answer each time: by no temperature, or by a seed. Vectors are the same."""
    if call.operation is Operation.EMBEDDINGS:
        return True
    temperature, seed = call.body.get("temperature"), call.body.get("seed")
    return (temperature == 0 and temperature is not False) or seed is not None
