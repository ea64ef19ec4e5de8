"""Budgets of all processes together, kept in Redis: what is spent, and what each process has reserved.

The ledger is the truth. A Redis that has forgotten everything is told what the ledger has before anything
is reserved in it again; what is charged meanwhile waits, and may then count twice: too much rather than
too little. While Redis is lost, a process may reserve its share of what was left when it was last heard of.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from app.config.state import OnStateLoss
from app.errors import limits_unavailable
from app.state.link import Reply, StateLost
from app.state.membership import MEMBERS, PRELUDE, Joined, Membership
from app.state.outbox import Outbox, Parcel, deliver
from app.state.script import Script, key_of, read_script
from app.store.database import StoreUnavailable
from app.usage.budgeting import Known
from app.usage.budgets import (
    Budget,
    BudgetRefusal,
    Charge,
    Crossing,
    Settlement,
    Standing,
    check_nanos,
    is_spent,
)
from app.usage.purpose import Purpose
from app.usage.seeding import ReadSpent

_HERE = Path(__file__).parent
_RESERVE = read_script(PRELUDE, _HERE / "numbers.lua", _HERE / "reserve.lua")
_CHARGE = read_script(PRELUDE, _HERE / "charge.lua")
_SEED = read_script(_HERE / "seed.lua")
_READ = key_of("ledger-read")
_AT_ONCE = 500
"""Budgets that one script learns of."""
_MOST = 10**18
"""Nano-dollars that one settlement may charge: beyond any budget, and well within 64 bits."""


class SharedBudgets:
    """Implements `app.usage.budgeting.Budgets`, and is a `Participant` in the shared state."""

    scripts: tuple[Script, ...] = (_RESERVE, _CHARGE, _SEED)

    def __init__(
        self,
        membership: Membership,
        read_spent: ReadSpent,
        tell: Callable[[Crossing], None],
        wall: Callable[[], float],
        log: FilteringBoundLogger,
    ) -> None:
        """`tell` is told of each share of a budget that is spent; `wall` gives unix seconds."""
        self._membership = membership
        self._read_spent = read_spent
        self._tell = tell
        self._wall = wall
        self._log = log
        self._on_loss: OnStateLoss = "local_share"
        self._known: Known | None = None
        self._ready = False
        """Whether Redis knows what the ledger knows."""
        self._unread = False
        """Whether it has been told that the ledger could not be read."""
        self._heard: dict[str, int] = {}
        """What was spent and reserved of each, as it was last heard."""
        self._alone: Counter[str] = Counter()
        """What this process has taken of each without Redis."""
        self._open: set[SharedReservation] = set()
        self.held = 0
        self.outbox = Outbox(_CHARGE, membership.clock, membership.new_id())

    def configure(self, on_loss: OnStateLoss) -> None:
        """Say what becomes of budgets that do not say it themselves, while Redis is lost."""
        self._on_loss = on_loss

    async def know(self, known: Known) -> None:
        """Learn from the ledger. Raises `StoreUnavailable` where one that is not known yet is strict."""
        self._known = known
        try:
            spent = await self._all(known)
        except StoreUnavailable as error:
            if known.strict_holders or self._strangers(known.named()):
                raise
            self._log.error("budgets_not_seeded", reason=str(error))
            return
        self._hear_of(spent)
        if (joined := self._membership.joined) is not None:
            with suppress(StateLost):  # It is told the same when it is back.
                await self._seed(joined, spent)
                await self._bring(joined)

    async def learn(self, budgets: Sequence[Budget]) -> None:
        """Learn of further ones. Raises `StoreUnavailable` as `know` does."""
        try:
            spent = await self._spent(budgets)
        except StoreUnavailable as error:
            if self._strangers(budgets):
                raise
            self._log.error("budgets_not_seeded", reason=str(error))
            return
        self._hear_of(spent)
        # Else it is told all when it is ready for that.
        if self._ready and (joined := self._membership.joined) is not None:
            with suppress(StateLost):
                await self._seed(joined, spent)

    async def reserve(
        self, budgets: Sequence[Budget], amounts: Sequence[int], now: float
    ) -> SharedReservation | BudgetRefusal:
        """Hold an amount in each budget, or in none. Raises `Unavailable`, `ValueError`."""
        if len({(budget.subject, budget.period) for budget in budgets}) != len(budgets):
            raise ValueError("a subject has two budgets for one period; it can have one")
        purposes = [self._purpose(budget, now) for budget in budgets]
        asked = [(purpose, check_nanos(amount)) for purpose, amount in zip(purposes, amounts, strict=True)]
        joined = self._membership.joined
        if joined is not None and self._ready:
            try:
                reply = await self._ask(joined, "reserve", asked)
            except StateLost:
                return self._reserve_alone(asked)
            if reply[0] >= 0:
                return self._answer(reply, joined, asked)
            if reply[0] == -1:
                self._membership.lose(joined, "forgotten")
            self._ready = False
        return self._reserve_alone(asked)

    async def standing(self, budget: Budget, now: float) -> Standing:
        """Say how a budget stands; while Redis is lost, how it stood."""
        purpose, joined = self._purpose(budget, now), self._membership.joined
        if joined is not None and self._ready:
            try:
                reply = await self._ask(joined, "look", [(purpose, 0)])
            except StateLost:
                reply = [-1]
            if reply[0] >= 0:
                return purpose.standing(int(reply[1]), int(reply[2]))
        used = self._heard.get(purpose.key, 0) + self._alone[purpose.key]
        return purpose.standing(used, 0)

    async def restore(self, joined: Joined) -> None:
        """Bring what calls hold, if Redis still knows the rest. Raises `StateLost`."""
        self._ready = not joined.emptied
        if self._ready:
            self.resume(joined)
            await self.outbox.send(joined.link)

    def resume(self, joined: Joined) -> None:
        """Bring what has begun since."""
        if not self._ready:
            return
        self._alone.clear()
        for reservation in self._open:
            if reservation.member == joined.member:
                continue
            reservation.member = joined.member
            for purpose, amount in reservation.held:
                self._send(purpose, joined.member, -amount, 0)

    async def tend(self, joined: Joined) -> None:
        """Send what still waits, and read the ledger for a Redis that has forgotten. Raises `StateLost`."""
        if not self._ready:
            try:
                await self._seed(joined, {} if self._known is None else await self._all(self._known))
            except StoreUnavailable as error:
                if not self._unread:
                    self._log.error("budgets_not_seeded", reason=str(error))
                self._unread = True
                return
            self._unread = False
        await self._bring(joined)

    async def deliver(self) -> None:
        """Send settlements as they come, until cancelled."""
        await deliver(self.outbox, self._membership, lambda: self._ready)

    def settle(self, reservation: SharedReservation, cost: int) -> None:
        """Tell of what a reservation has cost."""
        self._open.discard(reservation)
        for purpose, amount in reservation.held:
            self.held -= 1
            freed = amount if reservation.member else 0
            if not reservation.member:
                self._alone[purpose.key] += cost - amount
            if cost or freed:
                self._send(purpose, reservation.member or "-", freed, cost)

    async def _bring(self, joined: Joined) -> None:
        self._ready = True
        self.resume(joined)
        await self.outbox.send(joined.link)

    async def _all(self, known: Known) -> dict[Purpose, int]:
        return await self._spent([*known.named(), *await known.of_holders()])

    async def _spent(self, budgets: Sequence[Budget]) -> dict[Purpose, int]:
        now, once = self._now(self._wall()), [*dict.fromkeys(budgets)]
        spent = await self._read_spent(once, now)
        return {self._purpose(budget, now): spent.get(budget, 0) for budget in once}

    def _hear_of(self, spent: Mapping[Purpose, int]) -> None:
        for purpose, nano in spent.items():
            self._heard.setdefault(purpose.key, nano)

    def _strangers(self, budgets: Sequence[Budget]) -> bool:
        """Whether a strict one is among them of which nothing was ever heard."""
        now = self._now(self._wall())
        strict = (budget for budget in budgets if budget.mode == "strict")
        return any(self._purpose(budget, now).key not in self._heard for budget in strict)

    async def _seed(self, joined: Joined, spent: dict[Purpose, int]) -> None:
        everything, now = [*spent.items()], self._now(self._wall())
        for first in range(0, max(1, len(everything)), _AT_ONCE):
            some = everything[first : first + _AT_ONCE]
            args = [str(each) for purpose, nano in some for each in (nano, purpose.ttl(now))]
            is_last = str(int(first + _AT_ONCE >= len(everything)))
            await joined.link.ask(_SEED, [_READ, *(purpose.key for purpose, _ in some)], [is_last, *args])

    async def _ask(self, joined: Joined, what: str, asked: Sequence[tuple[Purpose, int]]) -> Reply:
        now = self._wall()
        args: list[object] = [self._membership.clock(), joined.member, what]
        for purpose, amount in asked:
            # An amount beyond the whole budget is refused all the same, and fits into 64 bits.
            args += [purpose.budget.amount, min(amount, purpose.budget.amount + 1), purpose.ttl(now)]

        def give_back(reply: Reply) -> None:
            if reply[0] == 1 and what == "reserve":
                taken = self._answer(reply, joined, asked)
                assert isinstance(taken, SharedReservation)
                taken.settle(None)

        keys = [MEMBERS, _READ, *(purpose.key for purpose, _ in asked)]
        return await joined.link.ask(_RESERVE, keys, args, give_back)

    def _answer(
        self, reply: Reply, joined: Joined, asked: Sequence[tuple[Purpose, int]]
    ) -> SharedReservation | BudgetRefusal:
        refusals = []
        for place, (purpose, amount) in enumerate(asked):
            spent, reserved = int(reply[1 + 2 * place]), int(reply[2 + 2 * place])
            self._heard[purpose.key] = spent + reserved + (amount if reply[0] else 0)
            if spent + reserved + amount > purpose.budget.amount:
                refusals.append(BudgetRefusal(purpose.budget, amount, purpose.standing(spent, reserved)))
        if not reply[0]:
            return max(refusals, key=lambda refusal: refusal.standing.ends or math.inf)
        return self._hold(asked, joined.member)

    def _reserve_alone(self, asked: Sequence[tuple[Purpose, int]]) -> SharedReservation | BudgetRefusal:
        for purpose, amount in asked:
            budget, used = purpose.budget, self._heard.get(purpose.key, 0)
            policy = budget.on_loss or ("closed" if budget.mode == "strict" else self._on_loss)
            share = max(0, budget.amount - used) // self._membership.instances
            if policy == "closed" or (policy == "local_share" and self._alone[purpose.key] + amount > share):
                if policy != "closed" and used + amount > budget.amount:
                    return BudgetRefusal(budget, amount, purpose.standing(used, 0))
                raise limits_unavailable(f"the budget of {budget.subject}")
        for purpose, amount in asked:
            self._alone[purpose.key] += amount
        return self._hold(asked, "")

    def _hold(self, asked: Sequence[tuple[Purpose, int]], member: str) -> SharedReservation:
        reservation = SharedReservation(self, tuple(asked), member)
        self.held += len(asked)
        self._open.add(reservation)
        return reservation

    def _send(self, purpose: Purpose, member: str, freed: int, cost: int) -> None:
        def hear(reply: Reply) -> None:
            self._hear(purpose, int(reply[0]), cost)

        args = member, str(freed), str(min(cost, _MOST)), str(purpose.ttl(self._wall()))
        self.outbox.put(Parcel((purpose.key,), args, hear if cost else None))

    def _hear(self, purpose: Purpose, spent: int, cost: int) -> None:
        """Tell of the shares that this settlement, and so no other one, has crossed."""
        for share in sorted({*purpose.budget.notify}):
            amount = purpose.budget.amount
            if is_spent(share, spent, amount) and not is_spent(share, spent - cost, amount):
                self._tell(Crossing(purpose.budget, share, purpose.standing(spent, 0)))

    def _purpose(self, budget: Budget, now: float) -> Purpose:
        return Purpose(budget, budget.period.span(self._now(now)))

    def _now(self, wall: float) -> float:
        """Give the one time that all processes see, if it is known: periods begin at once for all."""
        return self._membership.wall() or wall


class SharedReservation:
    """Money held for one call. Settle it in `finally`."""

    __slots__ = ("_budgets", "degraded", "held", "member")

    def __init__(self, budgets: SharedBudgets, held: tuple[tuple[Purpose, int], ...], member: str) -> None:
        self._budgets = budgets
        self.held = held
        self.member = member
        """Under which name Redis counts it; empty where it does not know of it."""
        self.degraded = not member

    def charges(self) -> tuple[Charge, ...]:
        """Give what would be charged if the call cost all that is held for it."""
        return tuple(purpose.charge(amount) for purpose, amount in self.held)

    def settle(self, actual: int | None) -> Settlement:
        """Turn what was held into what the call has cost. A second call does nothing. Raises `ValueError`.

        Crossings are told when Redis has added the cost up.
        """
        cost = check_nanos(0 if actual is None else actual)
        self._budgets.settle(self, cost)
        held, self.held = self.held, ()
        return Settlement(tuple(purpose.charge(cost) for purpose, _ in held if cost))
