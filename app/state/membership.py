"""Who shares the state: a lease that this process renews, and what happens when Redis is lost and found.

A process that dies renews nothing: after `LEASE` seconds nothing that it held counts any more. Each
time that Redis is found again it joins under a new name: what was on its way under the old one has no
effect, and what calls under way hold is told anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from app.state.link import Link, StateLost
from app.state.script import Script, key_of, read_script

LEASE = 15.0
"""Seconds after which a process that is not heard of holds nothing."""
BEAT = 1.0
"""Seconds between two renewals. A Redis that hangs is noticed by one of them, if not by a call."""
FIRST_PAUSE = 0.1
LAST_PAUSE = 2.0
"""Seconds between two tries to find Redis again."""
SETTLED = 10.0
"""Seconds that a link has to live until the next try after its loss comes at once."""
MEMBERS = key_of("members")

_HERE = Path(__file__).parent
PRELUDE = _HERE / "time.lua"
_MEMBER = read_script(PRELUDE, _HERE / "member.lua")
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Joined:
    """What the shared state is asked with while it is there."""

    link: Link
    member: str
    """The name of this process until Redis is lost."""
    emptied: bool
    """Whether it has forgotten all that this process had told it."""


class Participant(Protocol):
    """What keeps something in the shared state."""

    scripts: tuple[Script, ...]

    async def restore(self, joined: Joined) -> None:
        """Bring what calls hold to a state that may be empty, before anything is asked of it. Raises `StateLost`."""
        ...

    def resume(self, joined: Joined) -> None:
        """Bring what has changed since, at once; from now on the state is asked."""
        ...

    async def tend(self, joined: Joined) -> None:
        """Do what is to be done now and then. Raises `StateLost`."""
        ...


def server_time() -> str:
    """Leave the clock to the server."""
    return ""


@dataclass(slots=True)
class Membership:
    """What this process has of the shared state."""

    new_link: Callable[[], Link]
    new_id: Callable[[], str]
    log: FilteringBoundLogger
    random: Callable[[], float]
    """From 0 up to 1."""
    lease: float = LEASE
    clock: Callable[[], str] = server_time
    """What scripts take for the time, in microseconds; empty is the server's."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    monotonic: Callable[[], float] = time.monotonic
    participants: list[Participant] = field(default_factory=list)
    joined: Joined | None = None
    """None while Redis is lost."""
    instances: int = 1
    """How many processes there are, this one included; while Redis is lost, how many there were."""
    losses: int = 0
    _told: bool | None = None
    """Whether Redis was there when it was last told of."""
    _last_member: str = ""
    _found_at: float = float("-inf")
    _pause: float = FIRST_PAUSE
    _ahead: float = 0.0
    """The server's time less monotonic time."""
    _mark: str = ""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        """Try once to join, so that the first calls find the state; without it, go on as after a loss."""
        await self._try_to_join()

    async def follow(self) -> None:
        """Renew the lease, and join again after each loss, until cancelled."""
        while True:
            if self.joined is None:
                await self.sleep(self._pause * (0.5 + self.random() / 2))
                await self._try_to_join()
            else:
                self._changed.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), BEAT)
                await self._stay()

    async def leave(self) -> None:
        """Give back the lease, so that the others do not wait for it to end."""
        joined, self.joined = self.joined, None
        if joined is None:
            return
        joined.link.on_break = lambda _: None
        with suppress(StateLost):
            for participant in self.participants:
                await participant.tend(joined)
            await self._ask(joined, "leave")
        await joined.link.close()

    def lose(self, joined: Joined, reason: str) -> None:
        """Give up a way to Redis that has turned out to be of no use."""
        joined.link.break_off(reason)

    def wall(self) -> float | None:
        """Give the server's time in unix seconds; None where it was never heard of."""
        return self.monotonic() + self._ahead if self._ahead else None

    async def _try_to_join(self) -> None:
        try:
            await self._join()
        except StateLost as error:
            self._tell(str(error))
            self._pause = min(LAST_PAUSE, self._pause * 2)

    async def _join(self) -> None:
        link = self.new_link()
        await link.open((_MEMBER, *(script for each in self.participants for script in each.scripts)))
        self._mark = self._mark or self.new_id()
        joined = Joined(link, self.new_id(), emptied=False)
        try:
            await self._ask(joined, "leave", self._last_member)
            self._last_member = joined.member
            knows_us = await self._renew(joined, "join")
            joined = replace(joined, emptied=not knows_us)
            for participant in self.participants:
                await participant.restore(joined)
        except BaseException:
            await link.close()
            raise
        if link.broken:
            raise StateLost(link.broken)
        link.on_break = self._lost
        self.joined = joined
        self._found_at = self.monotonic()
        for participant in self.participants:
            participant.resume(joined)
        self._tell("")

    async def _stay(self) -> None:
        joined = self.joined
        if joined is None:
            return
        with suppress(StateLost):
            if await self._renew(joined, "stay"):
                for participant in self.participants:
                    await participant.tend(joined)
            else:
                self.lose(joined, "forgotten")

    async def _renew(self, joined: Joined, what: str) -> bool:
        """Renew the lease. Says whether Redis still knows this process."""
        reply = await self._ask(joined, what)
        if reply[0] < 0:
            return False
        self._ahead = reply[0] / _MICRO - self.monotonic()
        self.instances = max(1, reply[1])
        return reply[2] == 1

    async def _ask(self, joined: Joined, what: str, member: str = "") -> list[int]:
        args = self.clock(), member or joined.member, int(self.lease * _MICRO), what
        reply: list[int] = await joined.link.ask(_MEMBER, [MEMBERS, key_of("mark", self._mark)], args)
        return reply

    def _lost(self, reason: str) -> None:
        self.joined = None
        self.losses += 1
        settled = self.monotonic() - self._found_at >= SETTLED
        self._pause = FIRST_PAUSE if settled else min(LAST_PAUSE, self._pause * 2)
        self._changed.set()
        self._tell(reason)

    def _tell(self, reason: str) -> None:
        """Log a change; what is lost for another reason than before is lost all the same."""
        was, self._told = self._told, not reason
        if was == self._told:
            return
        if reason:
            self.log.error("shared_state_lost", reason=reason, instances=self.instances)
        else:
            self.log.info("shared_state_found", instances=self.instances)
