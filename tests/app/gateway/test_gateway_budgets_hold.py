"""What budgets promise: strict ones are never exceeded, learned ones by a debt, and agents are not refused for nothing."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.gateway.forecast import PER_CALL
from providers.types import Operation
from tests.app.gateway.building import (
    House,
    Listener,
    Said,
    build,
    chat,
    chat_answer,
    config_yaml,
    event,
    provider_yaml,
    whole,
)
from tests.app.gateway.traffic import agent, replay

CAP = "0.05"
CAP_NANO = 50_000_000


def greedy(chance: random.Random) -> Any:
    """A provider that takes all it may: prompts of a token a byte, answers up to their cap, and every fault."""

    async def answer(body: dict[str, Any]) -> Said:
        for _ in range(chance.randrange(12)):
            await asyncio.sleep(0)
        fate = chance.random()
        if fate < 0.1:
            raise httpx2.ReadTimeout("slow")
        if fate < 0.2:
            raise httpx2.ConnectError("refused")
        text = str(body.get("messages") or body.get("input"))
        prompt = chance.randint(1, len(text.encode()) + PER_CALL)
        if "input" in body:
            usage = {"prompt_tokens": prompt, "total_tokens": prompt}
            return whole({"object": "list", "model": "m", "data": [], "usage": usage})
        most = max(body.get("max_tokens") or 0, body.get("max_completion_tokens") or 0) * body.get("n", 1)
        output = most if chance.random() < 0.5 else chance.randint(0, most)
        if not body.get("stream"):
            return whole(chat_answer(output, prompt))
        said: list[Any] = [event({"content": "internationalisation "}) for _ in range(min(output, 20))]
        if fate < 0.4:
            return 200, "text/event-stream", [*said, httpx2.ReadError("cut")]
        counts = {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}
        end = [event({}, "stop"), event(None, usage=counts), b"data: [DONE]\n\n"]
        return 200, "text/event-stream", [*said, *end]

    return answer


async def one_client(house: House, chance: random.Random, calls: int, outcomes: Counter[str]) -> None:
    for _ in range(calls):
        house.time[0] += chance.choice([0, 0, 1, 3])
        fields: dict[str, Any] = {"stream": chance.random() < 0.5}
        if chance.random() < 0.3:
            fields["n"] = chance.randint(1, 4)
        fields[chance.choice(["max_tokens", "max_completion_tokens"])] = chance.randint(1, 1500)
        body, operation = chat("é" * chance.randint(1, 300), **fields), Operation.CHAT
        if chance.random() < 0.2:
            body, operation = {"model": "m", "input": "é" * chance.randint(1, 900)}, Operation.EMBEDDINGS
        client = Listener()
        call = asyncio.create_task(house.outcome(body, client=client, operation=operation))
        if chance.random() < 0.2:
            for _ in range(chance.randint(1, 30)):
                await asyncio.sleep(0)
            client.left = True
            call.cancel()
        await asyncio.wait([call])
        outcomes["left" if call.cancelled() else call.result()] += 1


@pytest.mark.slow
@pytest.mark.parametrize("fitted", [False, True], ids=["", "fitted"])
async def test_case_106_a_strict_budget_is_never_exceeded(tmp_path: Path, fitted: bool) -> None:
    """By the rows of the ledger, in every period of every budget, whatever happens to the calls."""
    budget = f'budget: {{amount: "{CAP}", per: minute, mode: strict, fit_max_tokens: {str(fitted).lower()}}}'
    prices = 'input_mtok: "1.00", output_mtok: "2.00", cached_mtok: "0.1", cache_write_mtok: "1.25"'
    theirs = budget.replace("fit_max_tokens: true", "fit_max_tokens: false")
    providers = provider_yaml("up", theirs, prices) + provider_yaml("other", prices=prices)
    config = config_yaml(key=budget, providers=providers, models="m: [up/a, other/b]")
    for seed in range(2):
        chance, outcomes = random.Random(seed), Counter[str]()
        house = build(tmp_path, config)
        house.wire.answer = greedy(chance)
        await asyncio.gather(*(one_client(house, chance, 60, outcomes) for _ in range(12)))
        spent: Counter[tuple[str, int]] = Counter()
        for record in house.memory.records:
            for charge in record.charges:
                spent[charge.subject, charge.period_start] += charge.nano
        assert max(spent.values()) <= CAP_NANO, spent
        assert max(spent.values()) > CAP_NANO // 2, "nothing came near the cap, so nothing was shown"
        assert len(spent) > 2, "one period alone was seen"
        assert house.reserved() == 0
        assert outcomes["ok"] > 50, outcomes
        assert outcomes["insufficient_quota"] > 10, outcomes
        assert outcomes["left"] > 10, outcomes
        of_key = sum(nano for (subject, _), nano in spent.items() if subject == "key:ci")
        assert of_key == sum(record.cost_nano or 0 for record in house.memory.records)


async def test_a_learned_budget_is_exceeded_by_one_debt_at_most(tmp_path: Path) -> None:
    """One call after the other: the last one may cost more than was thought, and then the budget is closed."""
    chance = random.Random(7)
    for _ in range(20):
        house = build(tmp_path, config_yaml(key='budget: {amount: "0.05", per: day}'))
        real = [chance.choice([10, 300, 4_000, 20_000]) for _ in range(80)]
        left = iter(real)
        house.wire.answer = lambda _, left=left: whole(chat_answer(next(left), 10))
        outcomes = [await house.outcome(chat(max_tokens=64_000)) for _ in real]
        costs = [record.cost_nano or 0 for record in house.memory.records]
        assert house.spent("key:ci") == sum(costs)
        assert sum(costs[:-1]) <= 50_000_000, "a call was let in after the money was gone"
        assert "insufficient_quota" in outcomes


async def test_learned_budgets_at_once_are_exceeded_by_their_debts_at_most(tmp_path: Path) -> None:
    """Fifty at once: each admitted one had room for what it was thought to cost."""
    house = build(tmp_path, config_yaml(key='budget: {amount: "0.02", per: day}'))
    house.wire.answer = lambda _: whole(chat_answer(5_000, 10))
    outcomes = Counter(await asyncio.gather(*(house.outcome(chat(max_tokens=64_000)) for _ in range(50))))
    debts = sum(max(0, 5_010 * 2_000 - 512 * 2_000) for _ in range(outcomes["ok"]))
    assert 0 < outcomes["ok"] <= 20_000_000 // (512 * 2_000)
    assert house.spent("key:ci") <= 20_000_000 + debts
    assert await house.outcome(chat(max_tokens=64_000)) == "insufficient_quota"


@pytest.mark.slow
async def test_agents_are_not_refused_for_nothing(tmp_path: Path) -> None:
    """They ask for 64,000 tokens and use some 800: at four fifths of the limit, under 1 % are refused needlessly."""
    limit = 270_000
    key = f'limits: {{tpm: {limit}}}, budget: {{amount: "5.00", per: day, mode: learned}}'
    house = build(tmp_path, config_yaml(key=key))
    seen = await replay(house, random.Random(3), agent, seconds=600, per_minute=180, cap=64_000, limit=limit)
    assert seen.total > 1_500
    assert seen.needless < 0.01 * seen.total, (seen.needless, seen.total)
    assert len(seen.passed) > 0.9 * seen.total
    assert house.spent("key:ci") <= 5_000_000_000
