"""Limits that processes share: what is exact, what comes back, and what holds while Redis is lost."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.errors import Unavailable
from app.limits.ask import Amounts, Limit, Refusal
from app.limits.kinds import LimitKind
from app.limits.limiter import Held
from app.limits.queue import Priority
from app.limits.shared import SharedLimiter
from app.state.membership import Membership
from tests.harness.shared import join, limiter_at
from tests.harness.valkey import Valkey

ONE = Amounts(1)
RPM = Limit("key:ci", LimitKind.RPM, 10)
GAUGE = Limit("key:ci", LimitKind.CONCURRENCY, 4)
TPM = Limit("key:ci", LimitKind.TPM, 100)

Process = tuple[SharedLimiter, Membership]


@pytest.fixture
async def processes(valkey: Valkey) -> AsyncIterator[list[Process]]:
    """Two of them, the first joined before the second."""
    valkey.run("FLUSHALL")
    pair = [await limiter_at(valkey.url) for _ in range(2)]
    await pair[0][1]._stay()
    yield pair
    for _, membership in pair:
        await membership.leave()


def held(answer: Any) -> Held:
    assert not isinstance(answer.taken, Refusal), answer.taken
    return answer.taken


async def lose(membership: Membership) -> None:
    assert membership.joined is not None
    link = membership.joined.link
    membership.lose(membership.joined, "test")
    await link.close()
    assert membership.joined is None


async def test_a_cancelled_ask_gives_back_what_it_has_taken(processes: list[Process]) -> None:
    limiter, membership = processes[0]
    chance = random.Random(1)

    async def call() -> None:
        answer = await limiter.take([GAUGE, RPM], ONE)
        # What others have given back may still be on its way.
        if not isinstance(answer.taken, Refusal):
            answer.taken.settle(None, refund_requests=True)

    for _ in range(150):
        calls = [asyncio.create_task(call()) for _ in range(3)]
        await asyncio.sleep(chance.random() / 1_500)
        for each in calls:
            each.cancel()
        await asyncio.wait(calls)
        assert not [each for each in calls if not each.cancelled() and each.exception()]
    assert membership.joined is not None
    async with asyncio.timeout(5):
        while [each.remaining for each in await limiter.standings([GAUGE, RPM])] != [4, 10]:
            await limiter.tend(membership.joined)
            await asyncio.sleep(0.01)
    assert limiter.held == 0


async def test_case_102_of_five_that_do_not_fit_together_one_passes(processes: list[Process]) -> None:
    asks = [processes[n % 2][0].take([TPM], Amounts(1, 60)) for n in range(5)]
    answers = await asyncio.gather(*asks)
    assert sum(not isinstance(answer.taken, Refusal) for answer in answers) == 1


async def test_settled_once_whatever_is_sent_again(processes: list[Process]) -> None:
    limiter, membership = processes[0]
    hold = held(await limiter.take([TPM, GAUGE], Amounts(1, 60)))
    hold.settle(Amounts(1, 70))
    hold.settle(Amounts(1, 99))
    assert membership.joined is not None
    await limiter.tend(membership.joined)
    # As after a batch whose confirmation was lost: the same number, the same settlements.
    limiter.outbox._number -= 1
    hold = held(await limiter.take([GAUGE], ONE))
    hold.settle(None)
    await limiter.tend(membership.joined)
    tokens, gauge = await limiter.standings([TPM, GAUGE])
    assert tokens.remaining == 30
    assert gauge.remaining == 3, "the second one was taken for a repetition"


async def test_what_a_process_holds_comes_back_when_it_is_gone(valkey: Valkey) -> None:
    valkey.run("FLUSHALL")
    dying, gone = await limiter_at(valkey.url, lease=0.3)
    living, membership = await limiter_at(valkey.url)
    for _ in range(4):
        held(await dying.take([GAUGE], ONE))
    assert isinstance((await living.take([GAUGE], ONE)).taken, Refusal)
    assert gone.joined is not None
    await gone.joined.link.close()
    await asyncio.sleep(0.35)
    held(await living.take([GAUGE], ONE))
    await membership._stay()
    assert membership.instances == 1
    await membership.leave()


async def test_shares_while_lost_and_what_was_used_counts_when_found(processes: list[Process]) -> None:
    (first, lost), (second, _) = processes
    assert lost.instances == 2
    for _ in range(2):
        held(await first.take([RPM, GAUGE], ONE))
    await lose(lost)
    answers = [await first.take([RPM], ONE) for _ in range(6)]
    assert all(answer.degraded for answer in answers)
    # Five is its share, and two of them it had used before.
    assert [isinstance(answer.taken, Refusal) for answer in answers] == [False] * 3 + [True] * 3
    await join(lost)
    (standing, gauge) = await second.standings([RPM, GAUGE])
    assert (standing.remaining, gauge.remaining) == (5, 2)
    assert not (await first.take([RPM], ONE)).degraded


async def test_a_share_is_never_nothing_and_open_holds_nobody_up(processes: list[Process]) -> None:
    limiter, membership = processes[0]
    await lose(membership)
    single = Limit("key:one", LimitKind.RPM, 1)
    held(await limiter.take([single], ONE))
    assert isinstance((await limiter.take([single], ONE)).taken, Refusal)
    loose = Limit("key:open", LimitKind.RPM, 1, "open")
    for _ in range(5):
        answer = await limiter.take([loose], ONE)
        held(answer)
        assert answer.standings() == []


async def test_our_own_fault_is_never_a_429(processes: list[Process]) -> None:
    limiter, membership = processes[0]
    await lose(membership)
    with pytest.raises(Unavailable) as caught:
        await limiter.take([RPM, Limit("key:c", LimitKind.RPM, 10, "closed")], ONE)
    assert (caught.value.http_status, caught.value.code) == (503, "limits_unavailable")
    with pytest.raises(Unavailable):
        # It fits into the limit, and not into a share of it.
        await limiter.take([TPM], Amounts(1, 60))
    limiter.configure("closed")
    with pytest.raises(Unavailable):
        await limiter.take([RPM], ONE)
    assert limiter.held == 0


async def test_what_ends_while_lost_is_settled_when_found(processes: list[Process]) -> None:
    (first, lost), (second, _) = processes
    before = held(await first.take([TPM, GAUGE], Amounts(1, 40)))
    await lose(lost)
    meanwhile = held(await first.take([TPM, GAUGE], Amounts(1, 1)))
    before.settle(Amounts(1, 20))
    await join(lost)
    assert [each.remaining for each in await second.standings([TPM, GAUGE])] == [79, 3]
    meanwhile.settle(Amounts(1, 6))
    assert lost.joined is not None
    await first.tend(lost.joined)
    assert [each.remaining for each in await second.standings([TPM, GAUGE])] == [74, 4]


async def test_emptied_it_learns_what_was_used(valkey: Valkey, processes: list[Process]) -> None:
    (first, _), (second, _) = processes
    held(await first.take([RPM, GAUGE], ONE))
    for _ in range(3):
        held(await second.take([RPM], ONE))
    valkey.run("FLUSHALL")
    for limiter, membership in processes:
        assert (await limiter.take([Limit("key:x", LimitKind.RPM, 5)], ONE)).degraded
        await join(membership)
    assert [each.remaining for each in await second.standings([RPM, GAUGE])] == [6, 3]


async def test_who_waits_gets_what_another_process_gives_back(processes: list[Process]) -> None:
    (first, joined_first), (second, other) = processes
    holds = [held(await second.take([GAUGE], ONE)) for _ in range(4)]
    waiting = [
        asyncio.create_task(first.wait([GAUGE], ONE, priority=priority, max_wait=5.0))
        for priority in (Priority.NORMAL, Priority.HIGH)
    ]
    await asyncio.sleep(0.02)
    holds[0].settle(None)
    assert other.joined is not None
    await second.tend(other.joined)
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert len(done) == 1
    assert done == {waiting[1]}, "the more important one"
    held(waiting[1].result()).settle(None)
    assert joined_first.joined is not None
    await first.tend(joined_first.joined)
    held(await waiting[0])
    refused = await first.wait(
        [Limit("key:n", LimitKind.TPM, 5)], Amounts(1, 9), priority=Priority.LOW, max_wait=9
    )
    assert isinstance(refused.taken, Refusal)


def hammer(url: str, seconds: float, attempts: int, begin: Any, results: Any) -> None:
    """Be a process that asks as often as it may."""

    async def run() -> int:
        limiter, membership = await limiter_at(url)
        begin.wait()
        admitted = 0
        for _ in range(attempts // 50):
            answers = await asyncio.gather(*(limiter.take([RACED], ONE) for _ in range(50)))
            admitted += sum(not isinstance(answer.taken, Refusal) for answer in answers)
            assert not any(answer.degraded for answer in answers)
        await membership.leave()
        return admitted

    results.put(asyncio.run(run()))


RACED = Limit("key:raced", LimitKind.RPM, 1_000)


@pytest.mark.slow
def test_case_99_four_processes_admit_exactly_the_limit(valkey: Valkey) -> None:
    valkey.run("FLUSHALL")
    context = multiprocessing.get_context("spawn")
    begin, results = context.Barrier(4), context.Queue()
    workers = [
        context.Process(target=hammer, args=(valkey.url, 1.0, 2_500, begin, results)) for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    began = time.monotonic()
    admitted = [results.get(timeout=50) for _ in workers]
    took = time.monotonic() - began
    for worker in workers:
        worker.join()
    assert took < 50
    assert sum(admitted) == RACED.capacity
