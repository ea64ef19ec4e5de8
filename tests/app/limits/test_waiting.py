"""Waiting for room: who goes first, what wakes, and what a client that leaves leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from app.limits.ask import Amounts, Limit, Refusal
from app.limits.kinds import LimitKind
from app.limits.memory import Hold, MemoryLimits
from app.limits.queue import Priority, WaitingRoom

ONE = Limit("model:fast", LimitKind.CONCURRENCY, 1)
TPM = Limit("model:fast", LimitKind.TPM, 100)
OTHER = Limit("key:other", LimitKind.CONCURRENCY, 1)
LOW, NORMAL, HIGH = Priority.LOW, Priority.NORMAL, Priority.HIGH


@dataclass(eq=False)
class Alarm:
    at: float
    ring: Callable[[], None]
    off: bool = False

    def cancel(self) -> None:
        self.off = True


@dataclass
class HandClock:
    """Time that passes when the test says so."""

    now: float = 0.0
    alarms: list[Alarm] = field(default_factory=list)

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Alarm:
        self.alarms.append(Alarm(self.now + delay, callback))
        return self.alarms[-1]

    def set(self) -> list[Alarm]:
        return [alarm for alarm in self.alarms if not alarm.off]

    async def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [alarm for alarm in self.set() if alarm.at <= end]:
            first = min(due, key=lambda alarm: alarm.at)
            self.now = max(self.now, first.at)
            self.alarms.remove(first)
            first.ring()
            await turn()
        self.now = end


async def turn() -> None:
    """Let every task run until it waits for something."""
    for _ in range(5):
        await asyncio.sleep(0)


class Desk:
    """Callers in front of one waiting room. Who got in is in `served`, in that order."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.limits = MemoryLimits()
        self.room: WaitingRoom[Hold] = WaitingRoom(self.clock, self.give_back)
        self.served: list[str] = []
        self.refused: dict[str, Refusal] = {}
        self.holds: dict[str, Hold] = {}
        self.tries: list[str] = []

    def give_back(self, hold: Hold) -> None:
        hold.settle(None, self.clock.now, refund_requests=True)

    async def comes(
        self,
        name: str,
        limits: Sequence[Limit] = (ONE,),
        tokens: int = 0,
        priority: Priority = NORMAL,
        max_wait: float = 1_000.0,
    ) -> asyncio.Task[None]:
        def try_take() -> Hold | Refusal:
            self.tries.append(name)
            return self.limits.take(limits, Amounts(1, tokens, 0), self.clock.now)

        async def call() -> None:
            answer = await self.room.wait(limits, try_take, priority=priority, max_wait=max_wait)
            if isinstance(answer, Refusal):
                self.refused[name] = answer
            else:
                self.served.append(name)
                self.holds[name] = answer

        task = asyncio.create_task(call())
        await turn()
        return task

    async def ends(self, name: str) -> None:
        self.holds.pop(name).settle(Amounts(1, 0, 0), self.clock.now)
        self.room.wake()
        await turn()


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_who_finds_room_does_not_wait(desk: Desk) -> None:
    task = await desk.comes("a")
    assert task.done()
    assert desk.served == ["a"]
    assert desk.clock.set() == []


async def test_equals_are_served_in_the_order_of_their_coming(desk: Desk) -> None:
    for name in "abcd":
        await desk.comes(name)
    for name in "abc":
        await desk.ends(name)
    assert desk.served == ["a", "b", "c", "d"]


async def test_higher_priorities_go_first(desk: Desk) -> None:
    await desk.comes("holder")
    for name, priority in [
        ("l1", LOW),
        ("n1", NORMAL),
        ("h1", HIGH),
        ("l2", LOW),
        ("n2", NORMAL),
        ("h2", HIGH),
    ]:
        await desk.comes(name, priority=priority)
    for _ in range(6):
        await desk.ends(desk.served[-1])
    assert desk.served == ["holder", "h1", "h2", "n1", "n2", "l1", "l2"]


async def test_time_alone_wakes_when_the_window_has_room(desk: Desk) -> None:
    await desk.comes("a", [TPM], tokens=60)
    await desk.comes("b", [TPM], tokens=60)
    await desk.clock.advance(60.0)
    assert desk.served == ["a"]
    await desk.clock.advance(0.06)
    assert desk.served == ["a", "b"]
    assert desk.clock.set() == []


async def test_a_refund_wakes_before_the_window_has_room(desk: Desk) -> None:
    await desk.comes("a", [TPM], tokens=60)
    await desk.comes("b", [TPM], tokens=60)
    await desk.clock.advance(1.0)
    await desk.ends("a")
    assert desk.served == ["a", "b"]


async def test_small_asks_do_not_overtake_a_big_one_for_ever(desk: Desk) -> None:
    await desk.comes("a", [TPM], tokens=60)
    await desk.comes("big", [TPM], tokens=80)
    await desk.comes("small", [TPM, OTHER], tokens=10)
    assert desk.served == ["a"]
    await desk.clock.advance(61.0)
    assert desk.served == ["a", "big", "small"]


async def test_who_waits_at_another_limit_is_not_held_up(desk: Desk) -> None:
    await desk.comes("a")
    await desk.comes("b", priority=HIGH)
    await desk.comes("elsewhere", [OTHER], priority=LOW)
    assert desk.served == ["a", "elsewhere"]


async def test_a_settlement_serves_all_who_fit(desk: Desk) -> None:
    await desk.comes("a", [TPM], tokens=100)
    for name in "bcd":
        await desk.comes(name, [TPM], tokens=40)
    await desk.ends("a")
    assert desk.served == ["a", "b", "c"]


async def test_only_the_first_of_a_lane_is_tried(desk: Desk) -> None:
    await desk.comes("a", [TPM], tokens=100)
    for number in range(50):
        await desk.comes(f"w{number}", [TPM], tokens=40)
    desk.tries.clear()
    desk.room.wake()
    assert desk.tries == ["w0"]


async def test_patience_ends_with_the_refusal_of_that_moment(desk: Desk) -> None:
    await desk.comes("a", [TPM], tokens=60)
    await desk.comes("b", [TPM], tokens=60, max_wait=20.0)
    await desk.clock.advance(19.9)
    assert desk.refused == {}
    await desk.clock.advance(0.1)
    assert desk.refused["b"].limit == TPM
    assert desk.refused["b"].retry_after == pytest.approx(40.05)
    assert len(desk.room) == 0
    assert desk.clock.set() == []


async def test_who_may_not_wait_is_told_at_once(desk: Desk) -> None:
    await desk.comes("a")
    await desk.comes("b", max_wait=0.0)
    assert "b" in desk.refused
    assert len(desk.room) == 0


async def test_an_ask_that_never_fits_does_not_wait(desk: Desk) -> None:
    await desk.comes("a", [TPM], tokens=101)
    assert desk.refused["a"].retry_after is None
    assert desk.clock.set() == []


async def test_a_client_that_leaves_frees_its_place(desk: Desk) -> None:
    await desk.comes("a", [TPM], tokens=60)
    leaver = await desk.comes("big", [TPM], tokens=80)
    await desk.comes("small", [TPM], tokens=10)
    assert desk.served == ["a"]
    leaver.cancel()
    await turn()
    assert leaver.cancelled()
    assert desk.served == ["a", "small"]
    assert len(desk.room) == 0
    assert desk.clock.set() == []


async def test_what_was_taken_for_a_client_that_just_left_is_given_back(desk: Desk) -> None:
    await desk.comes("a")
    leaver = await desk.comes("leaver")
    await desk.comes("c")
    desk.holds.pop("a").settle(None, desk.clock.now)
    desk.room.wake()  # serves the leaver, whose task has not run yet
    leaver.cancel()
    await turn()
    assert desk.served == ["a", "c"]


async def test_a_client_that_left_before_a_settlement_is_passed_over(desk: Desk) -> None:
    await desk.comes("a")
    leaver = await desk.comes("leaver")
    await desk.comes("c")
    leaver.cancel()  # its task has not run yet
    await desk.ends("a")
    assert desk.served == ["a", "c"]
    await desk.ends("c")
    assert desk.limits.standings([ONE], desk.clock.now)[0].remaining == 1


async def test_a_fault_of_one_waiter_is_its_own(desk: Desk) -> None:
    await desk.comes("a")
    broken = False

    def try_take() -> Hold | Refusal:
        if broken:
            raise LookupError("no such budget")
        return desk.limits.take([ONE], Amounts(), desk.clock.now)

    task = asyncio.create_task(desk.room.wait([ONE], try_take, max_wait=100.0))
    await turn()
    await desk.comes("c")
    broken = True
    await desk.ends("a")
    with pytest.raises(LookupError, match="budget"):
        await task
    assert desk.served == ["a", "c"]


async def test_an_event_loop_is_a_timer() -> None:
    loop = asyncio.get_running_loop()
    limits = MemoryLimits()
    room: WaitingRoom[Hold] = WaitingRoom(loop, lambda hold: hold.settle(None, loop.time()))
    limits.take([ONE], Amounts(), loop.time())
    answer = await room.wait([ONE], lambda: limits.take([ONE], Amounts(), loop.time()), max_wait=0.01)
    assert isinstance(answer, Refusal)


async def test_a_thousand_who_come_and_go_leave_nothing_behind(desk: Desk) -> None:
    await desk.comes("a")
    tasks = [await desk.comes(f"w{number}", priority=Priority(number % 3)) for number in range(300)]
    for task in tasks[::2]:
        task.cancel()
    await turn()
    assert len(desk.room) == 150
    while desk.holds:
        await desk.ends(next(iter(desk.holds)))
    assert len(desk.served) == 151
    assert len(desk.room) == 0
    assert desk.clock.set() == []
