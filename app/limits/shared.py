"""Limits of all processes together, kept in Redis: each decision is one script.

What this process takes is counted in its own memory as well. That is its part of what was used when
Redis is lost; then each process has its share of a limit. What was admitted without Redis is told to it
when it is back, as if it had come then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.config.state import OnStateLoss
from app.limits.ask import Amounts, Limit, Refusal, Standing, Tightest
from app.limits.kinds import LimitKind
from app.limits.limiter import Answer, Glimpse, Held
from app.limits.memory import Hold, MemoryLimits
from app.limits.queue import Priority
from app.limits.shares import OPEN, shares_of, told
from app.limits.turns import Turns
from app.state.link import Reply, StateLost
from app.state.membership import MEMBERS, PRELUDE, Joined, Membership
from app.state.outbox import Outbox, Parcel, deliver
from app.state.script import Script, key_of, read_script

_HERE = Path(__file__).parent
_TAKE = read_script(PRELUDE, _HERE / "windows.lua", _HERE / "take.lua")
_SETTLE = read_script(PRELUDE, _HERE / "windows.lua", _HERE / "settle.lua")
_MICRO = 1_000_000
_LARGEST = 1 << 50
"""What a provider may claim of tokens at most: sums of these are still exact in Lua."""


@dataclass(slots=True)
class _Entry:
    """What a hold has of one meter."""

    limit: Limit
    amount: int
    tick: int
    """The slot that holds it; -1 where none does."""


@dataclass(slots=True)
class _Answer:
    taken: Held | Refusal
    standings: Callable[[], Sequence[Standing]]
    degraded: bool = False

    def tightest(self) -> Tightest:
        return Tightest.among(self.standings())


class SharedLimiter:
    """Implements `app.limits.limiter.Limiter`, and is a `Participant` in the shared state."""

    scripts: tuple[Script, ...] = (_TAKE, _SETTLE)

    def __init__(self, membership: Membership, now: Callable[[], float]) -> None:
        """`now` gives monotonic seconds."""
        self._membership = membership
        self._now = now
        self._on_loss: OnStateLoss = "local_share"
        self._own = MemoryLimits()
        self._turns = Turns(now)
        self._open: set[SharedHold] = set()
        self._untold: Counter[Limit] = Counter()
        """What was admitted without Redis, of windows."""
        self.outbox = Outbox(_SETTLE, membership.clock, membership.new_id())

    @property
    def held(self) -> int:
        """What calls under way have taken and not settled."""
        return self._own.held

    def configure(self, on_loss: OnStateLoss) -> None:
        """Say what becomes of limits that do not say it themselves, while Redis is lost."""
        self._on_loss = on_loss

    def is_full(self, _limits: Sequence[Limit], _asked: Amounts) -> bool:
        """Say no: only Redis knows."""
        return False

    def glimpse(self, _limits: Sequence[Limit], _asked: Amounts, _shown: Sequence[Limit]) -> Glimpse | None:
        """Say nothing: only Redis knows."""
        return None

    async def take(self, limits: Sequence[Limit], asked: Amounts) -> Answer:
        """Take from all limits, or from none. Raises `Unavailable`."""
        joined = self._membership.joined
        if joined is not None:
            try:
                reply = await self._ask(joined, "take", limits, asked)
            except StateLost:
                return self._take_alone(limits, asked)
            if reply[0] >= 0:
                return self._answer(reply, joined, limits, asked)
            self._membership.lose(joined, "forgotten")
        return self._take_alone(limits, asked)

    async def wait(
        self, limits: Sequence[Limit], asked: Amounts, *, priority: Priority, max_wait: float
    ) -> Answer:
        """Take as soon as there is room, or give the refusal after `max_wait` seconds. Raises `Unavailable`."""
        if max_wait <= 0:
            return await self.take(limits, asked)
        return await self._turns.wait(limits, lambda: self.take(limits, asked), priority, max_wait)

    async def standings(self, limits: Sequence[Limit]) -> list[Standing]:
        """Say how far each limit is used. Raises `StateLost`."""
        joined = self._membership.joined
        if joined is None:
            raise StateLost("lost")
        return _standings(await self._ask(joined, "look", limits, Amounts()), 2, limits)

    async def restore(self, joined: Joined) -> None:
        """Tell of all that calls under way hold, and of what was used meanwhile. Raises `StateLost`."""
        if joined.emptied:
            self._untold = Counter(dict(self._in_windows()))
        self.resume(joined)
        await self.outbox.send(joined.link)

    def resume(self, joined: Joined) -> None:
        """Tell of what has begun since."""
        under_way: Counter[Limit] = Counter()
        for hold in self._open:
            under_way.update(hold.move(joined.member))
        told_now, self._untold = self._untold, Counter()
        entries = [_Entry(limit, 0, -1) for limit in (*under_way, *told_now)]
        counts = (*under_way.values(), *told_now.values())
        for entry, count in zip(entries, counts, strict=True):
            self._tell(entry, count, 0, joined.member)

    async def tend(self, joined: Joined) -> None:
        """Send what still waits. Raises `StateLost`."""
        await self.outbox.send(joined.link)

    async def deliver(self) -> None:
        """Send settlements as they come, until cancelled."""
        await deliver(self.outbox, self._membership)

    def settle(self, hold: SharedHold, real: Amounts, taken_at: int) -> None:
        """Tell of what a hold has used."""
        self._open.discard(hold)
        for entry in hold.entries:
            used = min(real.of(entry.limit.rule.counts), _LARGEST)
            if entry.limit.rule.length is None:
                if hold.member:
                    self._tell(entry, 0, 0, hold.member)
            elif entry.tick >= 0:
                self._tell(entry, used, taken_at, hold.member)
            elif used > entry.amount:
                # What was admitted alone has been told as it was asked; what it lacks is a debt.
                self._untold_or_told(_Entry(entry.limit, 0, -1), used - entry.amount)
        self._turns.wake()

    async def _ask(self, joined: Joined, what: str, limits: Sequence[Limit], asked: Amounts) -> Reply:
        keys, seen = [MEMBERS], set[str]()
        args: list[object] = [self._membership.clock(), joined.member, what]
        for limit in limits:
            keys += keys_of(limit)
            args += [_length(limit), asked.of(limit.rule.counts), limit.capacity, int(limit.key not in seen)]
            seen.add(limit.key)

        def give_back(reply: Reply) -> None:
            if reply[0] == 1 and what == "take":
                taken = self._answer(reply, joined, limits, asked).taken
                assert isinstance(taken, SharedHold)
                taken.settle(None, refund_requests=True)

        return await joined.link.ask(_TAKE, keys, args, give_back)

    def _answer(self, reply: Reply, joined: Joined, limits: Sequence[Limit], asked: Amounts) -> Answer:
        if reply[0] == 0:
            _, now, number, at = reply[:4]
            limit = limits[number - 1]
            wait = None if at < 0 else (at - now) / _MICRO
            amount = asked.of(limit.rule.counts)
            used = reply[4 + 3 * (number - 1) + 1]
            return _Answer(Refusal(limit, used, amount, wait), lambda: _standings(reply, 4, limits))
        ticks = {limit.key: reply[2 + 3 * place] for place, limit in reversed([*enumerate(limits)])}
        own = self._own.count(limits, asked, self._now())
        distinct = {limit.key: limit for limit in limits}.values()
        entries = [_Entry(limit, asked.of(limit.rule.counts), ticks[limit.key]) for limit in distinct]
        hold = SharedHold(self, own, asked, entries, joined.member, reply[1])
        self._open.add(hold)
        return _Answer(hold, lambda: _standings(reply, 2, limits))

    def _take_alone(self, limits: Sequence[Limit], asked: Amounts) -> Answer:
        shares = shares_of(limits, self._membership.instances, self._on_loss)
        own = self._own.take(shares, asked, self._now())
        shown = [share for share in shares if share.capacity != OPEN]
        standings = self._own.standings(shown, self._now())
        if isinstance(own, Refusal):
            refusal = told(own, {limit.key: limit for limit in limits})
            return _Answer(refusal, lambda: standings, degraded=True)
        distinct = {limit.key: limit for limit in limits}.values()
        entries = [_Entry(limit, asked.of(limit.rule.counts), -1) for limit in distinct]
        for entry in entries:
            if entry.limit.rule.length is not None:
                self._untold[entry.limit] += entry.amount
        hold = SharedHold(self, own, asked, entries, "", 0)
        self._open.add(hold)
        return _Answer(hold, lambda: standings, degraded=True)

    def _in_windows(self) -> Iterator[tuple[Limit, int]]:
        """Give all that this process has used of windows."""
        for key, used in self._own.used(self._now()):
            kind, _, subject = key.partition(" ")
            limit = Limit(subject, LimitKind(kind), 0)
            if used > 0 and limit.rule.length is not None:
                yield limit, used

    def _untold_or_told(self, entry: _Entry, debt: int) -> None:
        if (joined := self._membership.joined) is None:
            self._untold[entry.limit] += debt
        else:
            self._tell(entry, debt, 0, joined.member)

    def _tell(self, entry: _Entry, real: int, taken_at: int, member: str) -> None:
        first = _length(entry.limit), entry.amount, real
        self.outbox.put(Parcel(keys_of(entry.limit), (*first, entry.tick, taken_at, member)))


class SharedHold:
    """What one call has taken, until it settles."""

    __slots__ = ("_asked", "_limiter", "_own", "_taken_at", "entries", "member")

    def __init__(
        self,
        limiter: SharedLimiter,
        own: Hold,
        asked: Amounts,
        entries: list[_Entry],
        member: str,
        taken_at: int,
    ) -> None:
        self._limiter = limiter
        self._own = own
        self._asked = asked
        self._taken_at = taken_at
        self.entries = entries
        self.member = member
        """Under which name Redis counts what it has of gauges; empty where it does not know of it."""

    def settle(self, real: Amounts | None, *, refund_requests: bool = False) -> None:
        """Replace the estimate by what was used, and free concurrency. A second call does nothing."""
        self._own.settle(real, self._limiter._now(), refund_requests=refund_requests)  # noqa: SLF001 - its other half
        if self.entries:
            if real is None:
                real = Amounts(requests=0 if refund_requests else self._asked.requests)
            self._limiter.settle(self, real, self._taken_at)
            self.entries = []

    def move(self, member: str) -> Counter[Limit]:
        """Give what it has of gauges that is not known under this name, as if it were from now on."""
        if self.member == member:
            return Counter()
        self.member = member
        return Counter({each.limit: each.amount for each in self.entries if each.limit.rule.length is None})


def keys_of(limit: Limit) -> tuple[str, str]:
    """Give the keys of a limit's sums and ticks."""
    return key_of("limit", limit.key), key_of("ticks", limit.key)


def _length(limit: Limit) -> int:
    return 0 if limit.rule.length is None else int(limit.rule.length * _MICRO)


def _standings(reply: Reply, first: int, limits: Sequence[Limit]) -> list[Standing]:
    now = reply[1]
    standings = []
    for place, limit in enumerate(limits):
        _, used, empty_at = reply[first + 3 * place : first + 3 * place + 3]
        standings.append(Standing(limit, max(0, limit.capacity - used), max(0.0, (empty_at - now) / _MICRO)))
    return standings
