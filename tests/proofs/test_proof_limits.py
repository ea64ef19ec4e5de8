"""F3, F7, F8: nothing above a limit, nearly all of it usable, and at what cost."""

from __future__ import annotations

import random
import statistics
import time
from pathlib import Path

import pytest

from app.limits.ask import Amounts, Limit
from app.limits.kinds import LimitKind
from app.limits.memory import Hold, MemoryLimits
from app.usage.budget_book import BudgetBook, Reservation
from app.usage.budgets import Budget
from app.usage.periods import Period, PeriodKind
from tests.app.gateway.building import build, config_yaml
from tests.app.gateway.traffic import agent, bounded, replay
from tests.e2e.test_limits_races import ALLOWANCES, BODY, CALLS, PRICES, ROOM
from tests.harness import actions as act
from tests.harness.crowd import Crowd
from tests.harness.rig import config_for, provider, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.upstream import Gate, Upstream
from tests.proofs.conftest import Note

pytestmark = [pytest.mark.proofs, pytest.mark.timeout(300)]
REPEATS = 20


def key_of(kind: str, repeat: int) -> str:
    return f"sk-test-proof-{kind}-{repeat}-0123456789"


async def test_f3_nothing_above_a_limit(tmp_path: Path, secrets: Secrets, note: Note) -> None:
    kinds = ("rpm", "tpm", "concurrency", "budget")
    admitted: dict[str, list[int]] = {kind: [] for kind in kinds}
    with Upstream() as upstream:
        patient = {"response": "60s", "first_event": "60s"}
        config = config_for({"up": provider(upstream, "up", exact=True, timeouts=patient, prices=PRICES)}, {})
        config["auth"]["keys"] += [
            {"name": f"{kind}-{repeat}", "key": key_of(kind, repeat), **ALLOWANCES[kind]}
            for kind in kinds
            for repeat in range(REPEATS)
        ]
        with start_gateway(tmp_path / "run", secrets, config) as gateway:
            for kind in kinds:
                for repeat in range(REPEATS):
                    slot, gate = upstream.slot(f"{kind}-{repeat}"), Gate()
                    slot.script([act.wait_for(gate), *act.golden_reply("openai/chat_response.json")])
                    body = {**BODY, "model": f"up/{kind}-{repeat}"}
                    calls = Crowd(gateway.port, CALLS, body, key_of(kind, repeat))
                    await calls.connect()
                    calls.send()
                    await calls.answered(CALLS - ROOM)
                    gate.open()
                    assert sorted(a.status for a in await calls.all()) == [200] * ROOM + [429] * (
                        CALLS - ROOM
                    )
                    admitted[kind].append(len(slot.requests))
            gateway.eventually(lambda: gateway.in_flight() == 0, "return of all slots")
    for kind, counts in admitted.items():
        over = sum(max(0, count - ROOM) for count in counts)
        what = f"{kind}: {CALLS:,} calls at once, room for {ROOM}, {REPEATS} times, counted at the provider"
        note("F3", what, "0 over", f"{over} over; {min(counts)} to {max(counts)} admitted")
        assert counts == [ROOM] * REPEATS


async def test_f7_nearly_all_of_a_limit_is_usable(tmp_path: Path, note: Note) -> None:
    limit = 100_000
    house = build(tmp_path, config_yaml(key=f"limits: {{tpm: {limit}}}"))
    seen = await replay(
        house, random.Random(1), bounded, seconds=360, per_minute=600, cap=1_000, limit=limit, speed=100
    )
    used = statistics.mean(seen.windows()) / limit
    most = max(seen.windows()) / limit
    what = (
        "tokens used of a tpm limit at five times its load for 5 min, clock injected: `max_tokens` 1,000, "
        "answers of 300 to 1,000 at 100 a second"
    )
    note("F7", what, "0.90 to 1.00", f"{used:.3f} on average, {most:.3f} in the fullest minute")
    assert 0.90 <= used <= 1.00
    # What the fullest minute has above the limit is debt: answers longer than 19 of 20 before them.
    assert most <= 1 + 1_300 / limit


async def test_f7_agents(tmp_path: Path, note: Note) -> None:
    limit = 270_000
    house = build(tmp_path, config_yaml(key=f"limits: {{tpm: {limit}}}"))
    seen = await replay(house, random.Random(3), agent, seconds=1800, per_minute=180, cap=64_000, limit=limit)
    share = seen.needless / seen.total
    what = "needless refusals of agents that ask for 64,000 tokens and use some 800, at 4/5 of their tpm"
    note("F7", what, "< 1 %", f"{share:.2%} of {seen.total:,} calls")
    assert share < 0.01


def test_f8_what_a_limit_costs(note: Note) -> None:
    meters, asked, real = MemoryLimits(), Amounts(1, 400, 800), Amounts(1, 410, 790)
    kinds = (LimitKind.RPM, LimitKind.TPM, LimitKind.CONCURRENCY)
    everyones = [[Limit(f"key:{n}", kind, 10**9) for kind in kinds] for n in range(1_000)]
    book, budget = BudgetBook(), Budget("key:ci", 10**18, Period(PeriodKind.DAY), "strict")
    takes, budgets = [], []
    for number in range(100_000):
        limits, now = everyones[number % 1_000], number / 1_000
        began = time.perf_counter_ns()
        hold = meters.take(limits, asked, now)
        assert isinstance(hold, Hold)
        hold.settle(real, now)
        between = time.perf_counter_ns()
        reservation = book.reserve([budget], [1_000], now)
        assert isinstance(reservation, Reservation)
        reservation.settle(900)
        takes.append(between - began)
        budgets.append(time.perf_counter_ns() - between)
    for what, times in (
        ("three limits of one of 1,000 keys, taken and settled", takes),
        ("one budget, reserved and settled", budgets),
    ):
        spread = statistics.quantiles(times, n=100)
        note("F8", what, "< 20 µs", f"p50 {spread[49] / 1000:.1f} µs, p99 {spread[98] / 1000:.1f} µs")
        assert spread[49] < 20_000


async def test_f8_what_admission_costs(tmp_path: Path, note: Note) -> None:
    """The same call with nothing held and with six limits and a budget, in this process without a wire."""

    async def cost_of(key: str) -> float:
        house = build(tmp_path, config_yaml(key=key))
        body = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 100}
        times = []
        for _ in range(3_000):
            house.memory.entries.clear()
            house.told.clear()
            house.wire.bodies.clear()
            began = time.perf_counter_ns()
            await house.serve(body)
            times.append(time.perf_counter_ns() - began)
        return statistics.median(times) / 1000

    await cost_of("")
    held = 'limits: {rpm: 9999999, rpd: 9999999, tpm: 999999999, itpm: 999999999, otpm: 999999999, concurrency: 99}, budget: {amount: "1000", per: day, mode: strict}'
    without, with_all = await cost_of(""), await cost_of(held)
    what = "six limits and a strict budget on a call, headers, estimates and settlement included"
    note("F8", what, "-", f"{with_all - without:.0f} µs more on a call's median in the process")
