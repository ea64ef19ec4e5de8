"""F4 to F6, F8, F17: limits that processes share, and what a frozen Redis costs."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import statistics
import time
from pathlib import Path
from typing import Any

import pytest

from app.limits.ask import Amounts, Limit, Refusal
from app.limits.kinds import LimitKind
from app.state.link import PATIENCE
from tests.faults.test_shared_state import Flow, allowances, ask, key_of
from tests.harness.rig import ONE_TRY, config_for, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.shared import limiter_at
from tests.harness.valkey import Valkey, start_valkey
from tests.proofs.conftest import Note

pytestmark = [pytest.mark.proofs, pytest.mark.timeout(180)]
PROCESSES, ATTEMPTS, ROOM = 4, 2_500, 1_000
LIMIT = Limit("key:proof", LimitKind.RPM, ROOM)
ONE = Amounts(1)
THREE = [Limit("key:proof", kind, 10**9) for kind in (LimitKind.RPM, LimitKind.TPM, LimitKind.CONCURRENCY)]


def attempt(url: str, patience: float, begin: Any, results: Any) -> None:
    """Be a process that asks 2,500 times within a second or so. Gives what was admitted with Redis, and without."""

    async def run() -> tuple[int, int]:
        limiter, membership = await limiter_at(url, patience=patience)
        follow = asyncio.create_task(membership.follow())
        begin.wait()
        await membership._stay()
        begin.wait()
        admitted = [0, 0]
        for _ in range(ATTEMPTS // 25):
            for answer in await asyncio.gather(*(limiter.take([LIMIT], ONE) for _ in range(25))):
                admitted[answer.degraded] += not isinstance(answer.taken, Refusal)
            await asyncio.sleep(0.01)
        follow.cancel()
        return admitted[0], admitted[1]

    results.put(asyncio.run(run()))


def race(server: Valkey, patience: float, freeze_after: float | None) -> list[tuple[int, int]]:
    context = multiprocessing.get_context("spawn")
    begin, results = context.Barrier(PROCESSES + 1), context.Queue()
    workers = [
        context.Process(target=attempt, args=(server.url, patience, begin, results)) for _ in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    begin.wait()
    begin.wait()
    if freeze_after is not None:
        time.sleep(freeze_after)
        server.freeze()
    admitted = [results.get(timeout=60) for _ in workers]
    server.thaw()
    for worker in workers:
        worker.join()
    return admitted


def test_f4_nothing_above_a_limit_that_four_processes_share(valkey: Valkey, note: Note) -> None:
    valkey.run("FLUSHALL")
    admitted = race(valkey, 10.0, None)
    total = sum(shared for shared, _ in admitted)
    what = f"{PROCESSES} processes, {PROCESSES * ATTEMPTS:,} asks, a limit of {ROOM:,} in Valkey"
    note("F4", what, "0 over", f"{max(0, total - ROOM)} over; {total:,} admitted")
    # F5 bounds what processes admit that hold parts of a limit on lease. None do: every call asks.
    note("F5", "the same, by parts of the limit that are leased to processes", "≤ 2 % over", "no such mode")
    assert total == ROOM
    assert not any(alone for _, alone in admitted)


def test_f6_shares_while_redis_hangs(tmp_path: Path, note: Note) -> None:
    with start_valkey(tmp_path / "valkey") as server:
        admitted = race(server, PATIENCE, 0.02)
    total, alone = sum(map(sum, admitted)), sum(each for _, each in admitted)
    what = f"the same, Valkey stopped by SIGSTOP meanwhile; {alone:,} admitted by shares"
    note("F6", what, f"≤ {ROOM + PROCESSES:,}", f"{total:,} admitted")
    assert alone, "it was stopped too late to prove anything"
    assert alone <= ROOM + PROCESSES


async def test_f8_what_a_shared_limit_costs(valkey: Valkey, note: Note) -> None:
    valkey.run("FLUSHALL")
    limiter, membership = await limiter_at(valkey.url)
    deliver = asyncio.create_task(limiter.deliver())
    times: list[float] = []

    async def call() -> None:
        began = time.perf_counter()
        answer = await limiter.take(THREE, ONE)
        times.append(time.perf_counter() - began)
        assert not isinstance(answer.taken, Refusal)
        answer.taken.settle(ONE)

    async def calls(count: int) -> None:
        for _ in range(count):
            await call()

    chance, loop, started = random.Random(8), asyncio.get_running_loop(), []
    due = loop.time()
    for _ in range(3_000):
        due += chance.expovariate(1_000)
        await asyncio.sleep(max(0.0, due - loop.time()))
        started.append(asyncio.create_task(call()))
    await asyncio.gather(*started)
    spread = [each * 1_000 for each in statistics.quantiles(times, n=100)]
    what = "three limits in Valkey, taken and settled, 1,000 a second at random"
    note("F8", what, "p50 < 0.5 ms, p99 < 3 ms", f"p50 {spread[49]:.2f} ms, p99 {spread[98]:.2f} ms")
    for callers in (1, 16, 64):
        began = time.perf_counter()
        await asyncio.gather(*(calls(4_000 // callers) for _ in range(callers)))
        rate = 4_000 / (time.perf_counter() - began)
        note("F8", f"the same, as often as {callers} callers can", "-", f"{rate:,.0f} a second")
    assert not limiter.outbox.dropped
    deliver.cancel()
    await membership.leave()


def test_f17_a_frozen_redis(tmp_path: Path, secrets: Secrets, note: Note) -> None:
    with start_valkey(tmp_path / "valkey") as server:
        config = config_for({"echo": dict(ONE_TRY)}, {"e": ["echo/small"]}, state=server.url)
        config["auth"]["keys"] += [
            {"name": n, "key": key_of(n), **given} for n, given in allowances().items() if "limits" in given
        ]
        with start_gateway(tmp_path / "a", secrets, config) as gateway:
            for _ in range(50):
                ask(gateway, "shared")
            flows = [Flow(gateway, "shared").start() for _ in range(4)]
            time.sleep(2.0)
            server.freeze()
            frozen = time.monotonic()
            time.sleep(2.0)
            answers = [each for flow in flows for each in flow.stop()]
    before = [seconds for began, seconds, _ in answers if began + seconds < frozen]
    usual = statistics.median(before)
    after = [(began, seconds) for began, seconds, _ in answers if began + seconds >= frozen]
    slowed = [seconds for _, seconds in after if seconds > usual + 0.8 * PATIENCE]
    later = statistics.quantiles([s for began, s in after if began > frozen + 0.2], n=100)[98]
    rate = len(before) / 2.0
    what = f"Valkey stopped by SIGSTOP under {rate:.0f} calls a second: slowed, by how much, p99 then (and before)"
    p99 = statistics.quantiles(before, n=100)[98]
    worst = max(slowed, default=usual) - usual
    shown = f"{len(slowed)}, {worst * 1000:.0f} ms, {later * 1000:.1f} ms ({p99 * 1000:.1f} ms)"
    note("F17", what, "≤ 5 by ≤ 50 ms", shown)
    assert {answer.status for _, _, answer in answers} == {200}
    assert len(slowed) <= 5
