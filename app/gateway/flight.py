"""One call to a provider that answers all who ask for the same at the same time."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Self

from app.errors import Unavailable
from app.gateway.client import JSON, Client, Headers
from app.gateway.pursuit import Pursuit
from app.gateway.record import CallLog
from providers.types import Target

REPLAY = 1 << 20
"""Bytes of a stream that are kept for those who come late; after more, nobody can join."""
LAG = 1 << 20
"""Bytes that one may lag behind before it is let go: nobody else is to wait, or to remember, for it."""
AHEAD = 64 << 10
"""Bytes that the quickest may lag behind before the provider is read no more."""
_PIECE = 64 << 10
"""Bytes that are given to a client at once, and one event more."""


class Flight:
    """The answer while it comes. Implements `app.gateway.client.Client` for the pursuit of it.

    It runs in a task of its own, on the account of the call that began it, and ends with the last
    of those who wait for it. The quickest sets the pace.
    """

    def __init__(self, log: CallLog) -> None:
        """`log` is of the call that begins it."""
        self._log = log
        self._frames: deque[bytes] = deque()
        self._dropped = 0
        self._size = 0
        self._seats: list[Seat] = []
        self._room = asyncio.Event()
        self.target: Target | None = None
        """What answers."""
        self.body = b""
        """A whole answer."""
        self.committed = False
        self.has_content = False
        self.over = False
        """Whether nothing more comes."""
        self.failure: BaseException | None = None

    def take_off(self, pursuit: Pursuit) -> asyncio.Task[None]:
        """Begin. The pursuit's client is this flight, and whoever begins it boards before the loop goes on."""
        self._pursuit = pursuit
        self._log.outlive()
        self._task = asyncio.get_running_loop().create_task(pursuit.run(), name="flight")
        self._task.add_done_callback(self._land)
        return self._task

    @property
    def boards(self) -> bool:
        """Whether one more can join: all that was said is still known, and there will be more."""
        return not self.over and self._size <= REPLAY and bool(self._seats)

    def board(self, client: Client, deadline: float) -> Seat:
        """Join, until the deadline (loop time). Whoever has a seat leaves it."""
        self._pursuit.deadline = max(self._pursuit.deadline, deadline)
        seat = Seat(self, client, pending=self._size)
        self._seats.append(seat)
        return seat

    async def leave(self, seat: Seat) -> None:
        """Give a seat up. The last one ends what is not over yet, and waits for that."""
        self._seats.remove(seat)
        self._room.set()
        if not self._seats:
            if not self.over:
                self.over = True
                self._task.cancel()
            await asyncio.wait([self._task])

    def take(self, seat: Seat) -> bytes:
        """Give the next events to a seat."""
        at, piece = seat.index - self._dropped, bytearray()
        while at < len(self._frames) and len(piece) < _PIECE:
            piece += self._frames[at]
            at += 1
        seat.index = at + self._dropped
        seat.pending -= len(piece)
        self._room.set()
        return bytes(piece)

    # What the pursuit asks of its client

    @property
    def left(self) -> bool:
        """Whether nobody is there any more."""
        return all(seat.client.left for seat in self._seats)

    async def reply(self, body: bytes, _headers: Headers, _media: str = JSON) -> None:
        """Have a whole answer."""
        self.body = body
        await self.end()

    async def write(self, frames: bytes, _headers: Headers) -> None:
        """Have events of a stream. Waits as long as nobody keeps up."""
        self.committed = self.has_content = True
        self._note_target()
        self._frames.append(frames)
        self._size += len(frames)
        for seat in self._seats:
            seat.add(len(frames))
        if self._size > REPLAY:
            self._forget()
        while self._seats and min(seat.pending for seat in self._seats) > AHEAD:
            self._room.clear()
            await self._room.wait()

    async def end(self, frames: bytes = b"", headers: Headers = ()) -> None:
        """Have all of the answer."""
        if frames:
            await self.write(frames, headers)
        self._note_target()
        self._finish()

    def _note_target(self) -> None:
        assert self._log.current is not None, "an attempt answers"
        self.target = self._log.current.target

    def _forget(self) -> None:
        """Drop what all have read, or are not going to."""
        read = min((seat.index for seat in self._seats if not seat.cut_off), default=self._dropped)
        while self._dropped < read:
            self._frames.popleft()
            self._dropped += 1

    def _land(self, task: asyncio.Task[None]) -> None:
        self.failure = asyncio.CancelledError() if task.cancelled() else task.exception()
        self._log.release()
        self._finish()

    def _finish(self) -> None:
        self.over = True
        for seat in self._seats:
            seat.news.set()


@dataclass(slots=True, eq=False, repr=False)
class Seat:
    """One of those who wait for a flight. A context manager; leaving it gives the seat up."""

    flight: Flight
    client: Client
    pending: int
    """Bytes that were said and not taken."""
    index: int = 0
    """Of the next events to take."""
    cut_off: bool = False
    """Whether it lagged too far behind."""
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.flight.leave(self)

    def add(self, size: int) -> None:
        """Have more to take."""
        # Judged by what was there before: one event may be large.
        self.cut_off = self.cut_off or self.pending > LAG
        self.pending += size
        self.news.set()

    async def next(self) -> bytes:
        """Wait for the next events; nothing when that was all. Raises what the flight has failed of, `Unavailable`."""
        while self.cut_off or not self.pending:
            if self.cut_off:
                raise Unavailable(
                    "This answer was read too slowly to be shared with others.", code="read_too_slowly"
                )
            if self.flight.over:
                self._raise_failure()
                return b""
            self.news.clear()
            await self.news.wait()
        return self.flight.take(self)

    def _raise_failure(self) -> None:
        failure = self.flight.failure
        if isinstance(failure, asyncio.CancelledError) and not self.client.left:
            raise Unavailable(
                "The call whose answer this one waited for was cut off.", code="shared_call_cut_off"
            )
        if failure is not None:
            raise failure
