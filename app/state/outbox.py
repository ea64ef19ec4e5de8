"""Settlements on their way to Redis: in order, many at a time, each exactly once.

A batch that nobody has confirmed is sent again under its number, and the script takes no number twice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from app.state.link import Link, Reply, StateLost
from app.state.membership import Membership
from app.state.script import Script, key_of

PAUSE = 0.2
"""Seconds between two looks whether what waits can be sent."""
MOST = 20_000
"""Settlements that wait while Redis is lost. Beyond that the oldest goes: leases and windows cover it."""
MOST_TRIES = 5
"""Times that a batch is sent: one that no server takes must not keep back the others for good."""
BATCH = 32
"""Settlements in one script: a millisecond of the server's time."""


class Parcel(NamedTuple):
    """One settlement."""

    keys: Sequence[str]
    args: Sequence[object]
    """As many for each key as its script takes."""
    heard: Callable[[Reply], None] | None = None
    """Told the script's answer for its first key and those after it."""


@dataclass(slots=True)
class Outbox:
    """What one participant has to tell. The script gets its key, its number, and then all of the batch."""

    script: Script
    clock: Callable[[], str]
    id: str
    dropped: int = 0
    _waiting: deque[Parcel] = field(default_factory=deque)
    _sending: list[Parcel] = field(default_factory=list)
    """The batch that has been sent and not been confirmed."""
    _tries: int = 0
    _number: int = 1
    _put: asyncio.Event = field(default_factory=asyncio.Event)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __len__(self) -> int:
        return len(self._waiting) + len(self._sending)

    def put(self, parcel: Parcel) -> None:
        """Take a settlement. Never waits."""
        if len(self._waiting) >= MOST:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(parcel)
        self._put.set()

    async def ready(self) -> None:
        """Wait until there is something to send."""
        await self._put.wait()

    async def send(self, link: Link) -> None:
        """Send all that waits. Raises `StateLost`; what was not confirmed stays."""
        async with self._turn:
            while self._waiting or self._sending:
                if not self._sending:
                    count = min(BATCH, len(self._waiting))
                    self._sending = [self._waiting.popleft() for _ in range(count)]
                await self._send_batch(link)
            self._put.clear()

    async def _send_batch(self, link: Link) -> None:
        keys = [key_of("outbox", self.id), *(key for each in self._sending for key in each.keys)]
        args = [self.clock(), self._number, *(arg for each in self._sending for arg in each.args)]
        self._tries += 1
        try:
            reply = await link.ask(self.script, keys, args)
        except StateLost:
            if self._tries >= MOST_TRIES:
                self.dropped += len(self._sending)
                self._end_batch()
            raise
        sent = self._end_batch()
        at = 0
        for parcel in sent:
            if parcel.heard is not None and reply:
                parcel.heard(reply[at : at + len(parcel.keys)])
            at += len(parcel.keys)

    def _end_batch(self) -> list[Parcel]:
        sent, self._sending = self._sending, []
        self._number += 1
        self._tries = 0
        return sent


async def deliver(
    outbox: Outbox, membership: Membership, is_ready: Callable[[], bool] = lambda: True
) -> None:
    """Send what comes into an outbox while Redis is there and its owner is ready, until cancelled."""
    while True:
        await outbox.ready()
        joined = membership.joined
        if joined is not None and is_ready():
            with suppress(StateLost):
                await outbox.send(joined.link)
                continue
        # Its owner sends what waits as soon as Redis is there, and now and then.
        await asyncio.sleep(PAUSE)
