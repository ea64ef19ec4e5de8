"""Embeddings that take several requests: one call, one answer, one account."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from providers.types import Operation
from tests.app.gateway.building import House, Listener, Said, build, config_yaml, provider_yaml, whole
from tests.app.gateway.stage import assert_nothing_is_left, turns

TEXTS = [f"text number {n:04}" for n in range(96 * 6 + 4)]
"""Seven parts at Cohere, of 16 bytes each: four tokens, as one guesses."""
BUDGET = 'budget: {amount: "1.00", per: day, mode: strict}, limits: {rpm: 10, tpm: 100000}'


def house_of(folder: Path, more: str = "") -> House:
    up = provider_yaml("up", "dialect: cohere, " + BUDGET + more).replace("exact: true, ", "")
    return build(folder, config_yaml(key=BUDGET, providers=up))


def embed(texts: Any = TEXTS) -> dict[str, Any]:
    return {"model": "m", "input": texts}


def vectors(body: dict[str, Any]) -> Said:
    """Answer like Cohere: each vector is the number of its text, and each text has five tokens."""
    found = [[float(text[-4:])] for text in body["texts"]]
    units = {"billed_units": {"input_tokens": 5 * len(found)}}
    return whole({"embeddings": {"float": found}, "meta": units})


async def test_a_call_in_parts_is_one_call(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    under_way, most = 0, 0

    async def slowly(body: dict[str, Any]) -> Said:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        # The later ones answer first.
        await turns(10 if body["texts"][0] == TEXTS[96] else 2)
        under_way -= 1
        return vectors(body)

    house.wire.answer = slowly
    client = await house.serve(embed(), operation=Operation.EMBEDDINGS)
    answer = json.loads(client.received)
    assert [item["embedding"] for item in answer["data"]] == [[float(n)] for n in range(len(TEXTS))]
    assert [item["index"] for item in answer["data"]] == list(range(len(TEXTS)))
    assert answer["usage"] == {"prompt_tokens": 5 * len(TEXTS), "total_tokens": 5 * len(TEXTS)}
    assert [len(body["texts"]) for body in house.wire.bodies] == [96] * 6 + [4]
    assert set(house.wire.keys) == {"cred-up-0123456789"}
    assert most == 4
    (record,) = house.memory.records
    assert (record.outcome, record.attempts, record.usage_source) == ("success", 1, "provider")
    assert record.cost_nano == 5 * len(TEXTS) * 1000
    assert client.headers["x-switchgear-attempts"] == "1"
    assert_nothing_is_left(house)


@pytest.mark.parametrize(
    ("status", "code", "lost"), [(429, "upstream_rate_limited", 0), (504, "upstream_timeout", 4 * 4)]
)
async def test_a_part_that_fails_is_the_calls_failure_and_what_came_before_is_paid_for(
    tmp_path: Path, status: int, code: str, lost: int
) -> None:
    """What has failed by a refusal is not billed; what has timed out may be, and is guessed."""
    house = house_of(tmp_path)
    texts = TEXTS[:100]
    house.wire.answer = lambda body: (
        vectors(body) if len(body["texts"]) == 96 else whole({"message": "no"}, status)
    )
    assert await house.outcome(embed(texts), operation=Operation.EMBEDDINGS) == code
    assert len(house.wire.bodies) == 2
    (record,) = house.memory.records
    assert (record.usage_source, record.input_tokens) == ("estimated", 5 * 96 + lost)
    assert record.cost_nano == (5 * 96 + lost) * 1000
    assert house.spent("key:ci") == house.spent("provider:up") == record.cost_nano
    assert_nothing_is_left(house)


async def test_a_first_part_that_is_refused_costs_nothing_and_keeps_the_others_at_home(
    tmp_path: Path,
) -> None:
    house = house_of(tmp_path)
    house.wire.answer = lambda _: whole({"message": "no such model"}, 404)
    assert await house.outcome(embed(), operation=Operation.EMBEDDINGS) == "model_not_found"
    assert len(house.wire.bodies) == 1
    (record,) = house.memory.records
    assert (record.cost_nano, record.input_tokens) == (0, None)
    assert_nothing_is_left(house)


async def test_a_call_in_parts_that_is_given_up_is_paid_for_as_far_as_it_came(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    stuck = asyncio.Event()

    async def answer(body: dict[str, Any]) -> Said:
        if body["texts"][0] != TEXTS[0]:
            await stuck.wait()
        return vectors(body)

    house.wire.answer = answer
    client = Listener()
    call = asyncio.create_task(house.serve(embed(), client=client, operation=Operation.EMBEDDINGS))
    async with asyncio.timeout(5):
        while len(house.wire.bodies) < 5:
            await asyncio.sleep(0.001)
    client.left = True
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    (record,) = house.memory.records
    # One part has told its use, four were under way, two had not begun.
    assert record.input_tokens == 96 * 5 + 4 * 96 * 4
    assert_nothing_is_left(house)


async def test_all_parts_have_the_time_of_one(tmp_path: Path) -> None:
    house = house_of(tmp_path, ", timeouts: {response: 50ms}")
    stuck = asyncio.Event()

    async def answer(body: dict[str, Any]) -> Said:
        if body["texts"][0] == TEXTS[96]:
            await stuck.wait()
        return vectors(body)

    house.wire.answer = answer
    assert await house.outcome(embed(TEXTS[:100]), operation=Operation.EMBEDDINGS) == "upstream_timeout"
    (record,) = house.memory.records
    assert record.input_tokens == 96 * 5 + 4 * 4
    assert_nothing_is_left(house)
