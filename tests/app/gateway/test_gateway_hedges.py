"""A second target beside a slow one: whose content comes first answers, and both are accounted for."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog

from app.errors import GatewayError
from app.gateway.hedge import WARM
from app.gateway.trail import LoggedTrails
from app.telemetry.record import CallRecord
from providers.types import Operation
from tests.app.gateway.building import (
    House,
    Listener,
    build,
    chat,
    chat_answer,
    config_yaml,
    event,
    provider_yaml,
    whole,
)
from tests.app.gateway.stage import Stage, assert_nothing_is_left, turns, until

HELD = 'limits: {concurrency: 999, tpm: 9000000}, budget: {amount: "100.00", per: day}'
STRICT = 'limits: {concurrency: 9}, budget: {amount: "100.00", per: day, mode: strict}'
PROVIDERS = "".join(provider_yaml(name, HELD) for name in ("up", "other", "third"))


def start(
    folder: Path, *, after: str = "1ms", cap: str = "1", targets: str = "up/a, other/b", **options: Any
) -> House:
    hedge = f"hedge: {{after: {after}, cap: {cap}}}"
    options = {"key": HELD, "providers": PROVIDERS, **options}
    return build(folder, config_yaml(models=f"m: {{targets: [{targets}], {hedge}}}", **options))


def call(house: House, client: Listener | None = None, **fields: Any) -> asyncio.Task[Listener]:
    return asyncio.create_task(house.serve(chat(**fields), client=client))


def outcomes(record: CallRecord) -> dict[str, str]:
    return {f"{attempt.provider}/{attempt.model}": attempt.outcome for attempt in record.tries}


def hedges(house: House) -> tuple[float, float]:
    """Give how many were started and won."""
    seen = (
        house.metrics.registry.get_sample_value("switchgear_hedges_total", {"model": "m", "event": event})
        for event in ("started", "won")
    )
    started, won = (value or 0 for value in seen)
    return started, won


@pytest.fixture
async def house(tmp_path: Path) -> House:
    return start(tmp_path)


async def test_a_quick_first_one_has_no_rival(tmp_path: Path) -> None:
    house = start(tmp_path, after="10s")
    assert (await house.serve(chat())).headers["x-switchgear-attempts"] == "1"
    assert outcomes(house.told[0]) == {"up/a": "success"}
    assert hedges(house) == (0, 0)
    assert_nothing_is_left(house)


@pytest.mark.parametrize("winner", ["a", "b"])
async def test_the_first_whole_answer_wins(house: House, winner: str) -> None:
    stage, loser = Stage(house), "b" if winner == "a" else "a"
    running = call(house)
    slow, quick = await stage.request(loser), await stage.request(winner)
    quick.set_result(whole(chat_answer(7)))
    client = await running
    assert slow.cancelled(), "the loser was not ended"
    names = {"a": "up/a", "b": "other/b"}
    assert client.headers["x-switchgear-provider"] == names[winner].partition("/")[0]
    assert client.headers["x-switchgear-attempts"] == "2"
    (record,) = house.told
    assert outcomes(record) == {names[winner]: "success", names[loser]: "hedge_lost"}
    assert (record.outcome, record.output_tokens, record.usage_source) == ("success", 7, "provider")
    assert (record.provider, record.fallback) == (names[winner].partition("/")[0], winner == "b")
    (lost,) = [attempt for attempt in record.tries if attempt.outcome == "hedge_lost"]
    assert lost.input_tokens, "it may be billed for the prompt"
    assert record.cost_nano == 10 * 1_000 + 7 * 2_000 + lost.input_tokens * 1_000
    assert hedges(house) == (1, winner == "b")
    assert_nothing_is_left(house)


@pytest.mark.parametrize("winner", ["a", "b"])
async def test_the_first_content_of_a_stream_wins(house: House, winner: str) -> None:
    stage, loser = Stage(house), "b" if winner == "a" else "a"
    client = Listener()
    running = call(house, client, stream=True)
    streams = {model: await stage.stream(model) for model in "ab"}
    streams[loser].role()
    await until(lambda: streams[loser].taken > 0)
    await turns()
    assert not client.committed, "an empty event is no content"
    streams[winner].role()
    streams[winner].say("one ", "two")
    await until(lambda: client.text == "one two")
    assert streams[loser].closed, "the loser's connection is let go as soon as the other has content"
    streams[winner].stop(output=2)
    await running
    assert client.received.count(b'"role"') == 1
    assert client.received.endswith(b"data: [DONE]\n\n")
    assert client.headers["x-switchgear-attempts"] == "2"
    (record,) = house.told
    assert sorted(outcomes(record).values()) == ["hedge_lost", "success"]
    assert (record.output_tokens, record.upstream_model) == (2, "m")
    assert_nothing_is_left(house)


async def test_content_may_be_a_tool_call(house: House) -> None:
    stage = Stage(house)
    client = Listener()
    running = call(house, client, stream=True)
    first, second = await stage.stream("a"), await stage.stream("b")
    function = {"name": "f", "arguments": "{}"}
    second.put(event({"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": function}]}))
    await until(lambda: client.committed)
    assert first.closed
    second.stop()
    await running
    assert_nothing_is_left(house)


async def test_an_answer_without_content_is_one(house: House) -> None:
    stage = Stage(house)
    running = call(house, stream=True)
    (await stage.stream("a")).stop(output=0)
    client = await running
    assert b"stop" in client.received
    assert outcomes(house.told[0])["up/a"] == "success"
    assert_nothing_is_left(house)


async def test_a_stream_that_says_nothing_is_not_held_back_for_ever(house: House) -> None:
    stage = Stage(house)
    client = Listener()
    running = call(house, client, stream=True)
    stream = await stage.stream("a")
    for _ in range(1000):
        stream.role()
    await until(lambda: client.committed)
    stream.stop()
    await running


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_when_the_first_fails_the_second_simply_goes_on(house: House, stream: bool) -> None:
    stage = Stage(house)
    running = call(house, stream=stream)
    first, second = await stage.request("a"), await stage.request("b")
    first.set_exception(httpx2.ReadError("cut"))
    await turns()
    assert not running.done()
    assert (stage.asked("a"), stage.asked("b")) == (1, 1)
    if stream:
        second.cancel() if second.done() else None
        faucet = await stage.stream("b")
        faucet.say("word")
        faucet.stop()
    else:
        second.set_result(whole(chat_answer(5)))
    client = await running
    assert client.headers["x-switchgear-provider"] == "other"
    (record,) = house.told
    assert outcomes(record) == {"up/a": "upstream_disconnected", "other/b": "success"}
    assert hedges(house) == (1, 1)
    assert_nothing_is_left(house)


async def test_when_the_second_fails_the_first_simply_goes_on(house: House) -> None:
    stage = Stage(house)
    running = call(house)
    first, second = await stage.request("a"), await stage.request("b")
    second.set_result(whole({"error": {"message": "no"}}, 400))
    await turns()
    first.set_result(whole(chat_answer(5)))
    assert (await running).headers["x-switchgear-provider"] == "up"
    assert outcomes(house.told[0]) == {"other/b": "invalid_request", "up/a": "success"}
    assert_nothing_is_left(house)


async def test_when_both_fail_the_next_target_is_tried(tmp_path: Path) -> None:
    house = start(tmp_path, targets="up/a, other/b, third/c", after="1ms")
    stage = Stage(house)
    running = call(house)
    first, second = await stage.request("a"), await stage.request("b")
    second.set_result(whole({"error": {"message": "no"}}, 503))
    await turns()
    first.set_result(whole({"error": {"message": "no"}}, 503))
    (await stage.request("c")).set_result(whole(chat_answer(5)))
    client = await running
    assert client.headers["x-switchgear-attempts"] == "3"
    assert outcomes(house.told[0]) == {
        "other/b": "upstream_overloaded",
        "up/a": "upstream_overloaded",
        "third/c": "success",
    }
    assert [stage.asked(model) for model in "abc"] == [1, 1, 1]
    assert_nothing_is_left(house)


async def test_when_all_fail_the_client_learns_of_the_first(house: House) -> None:
    stage = Stage(house)
    running = call(house)
    first, second = await stage.request("a"), await stage.request("b")
    first.set_result(whole({"error": {"message": "I am full"}}, 503))
    await turns()
    second.set_exception(httpx2.ReadError("cut"))
    with pytest.raises(GatewayError, match="I am full") as refused:
        await running
    assert dict(refused.value.headers)["x-switchgear-attempts"] == "2"
    assert house.told[0].provider == "up"
    assert_nothing_is_left(house)


async def test_a_winner_that_breaks_off_is_not_replaced(house: House) -> None:
    stage = Stage(house)
    client = Listener()
    running = call(house, client, stream=True)
    first, second = await stage.stream("a"), await stage.stream("b")
    second.say("one ")
    await until(lambda: client.text == "one ")
    second.put(httpx2.ReadError("cut"))
    with pytest.raises(GatewayError) as refused:
        await running
    assert refused.value.code == "upstream_disconnected"
    assert first.closed
    assert (stage.asked("a"), stage.asked("b")) == (1, 1)
    assert outcomes(house.told[0]) == {"up/a": "hedge_lost", "other/b": "upstream_disconnected"}
    assert_nothing_is_left(house)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("times", [1, 2])
async def test_case_84_a_client_that_leaves_ends_both(house: House, stream: bool, times: int) -> None:
    stage = Stage(house)
    client = Listener()
    running = call(house, client, stream=stream)
    requests = [await stage.request("a"), await stage.request("b")]
    client.left = True
    for _ in range(times):
        running.cancel()
        await turns(1)
    await asyncio.wait([running])
    await until(lambda: all(request.cancelled() for request in requests))
    await turns()
    (record,) = house.told
    assert record.outcome == "client_cancelled"
    assert outcomes(record) == {"up/a": "cancelled", "other/b": "cancelled"}
    assert_nothing_is_left(house)


async def test_a_deadline_ends_both(house: House) -> None:
    stage = Stage(house)
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(house.serve(chat(), deadline=loop.time() + 0.05))
    requests = [await stage.request("a"), await stage.request("b")]
    with pytest.raises(GatewayError) as refused:
        await running
    assert refused.value.code == "deadline_exceeded"
    assert dict(refused.value.headers)["x-switchgear-attempts"] == "2"
    assert all(request.cancelled() for request in requests)
    assert_nothing_is_left(house)


async def test_no_more_calls_are_hedged_than_the_cap_allows(tmp_path: Path) -> None:
    house = start(tmp_path, cap="0.05", key="")
    stage = Stage(house)
    calls = [call(house) for _ in range(100)]
    await until(lambda: stage.asked("a") == 100)
    await until(lambda: stage.asked("b") >= 3)
    for number in range(1, 101):
        request = await stage.request("a", number)
        if not request.done():
            request.set_result(whole(chat_answer(1)))
    await asyncio.gather(*calls)
    assert hedges(house)[0] == stage.asked("b")
    assert 3 <= stage.asked("b") <= 5, "all hundred were late"
    assert_nothing_is_left(house)


async def test_one_target_has_no_hedge(tmp_path: Path) -> None:
    house = start(tmp_path, targets="up/a")
    stage = Stage(house)
    running = call(house)
    request = await stage.request("a")
    await asyncio.sleep(0.01)
    request.set_result(whole(chat_answer(5)))
    await running
    assert stage.asked("a") == 1
    assert_nothing_is_left(house)


async def test_a_target_that_is_full_is_passed_over_and_tried_later(tmp_path: Path) -> None:
    full = provider_yaml("up", HELD) + provider_yaml("other", "limits: {rpm: 1}") + provider_yaml("third")
    house = start(tmp_path, targets="up/a, other/b, third/c", providers=full)
    stage = Stage(house)
    before = call(house, model="other/b")
    (await stage.request("b")).set_result(whole(chat_answer(5)))
    await before
    running = call(house)
    await stage.request("a")
    (await stage.request("c")).set_result(whole(chat_answer(5)))
    assert (await running).headers["x-switchgear-provider"] == "third"
    assert stage.asked("b") == 1


async def test_a_hedge_counts_among_the_tries_of_a_call(tmp_path: Path) -> None:
    house = start(tmp_path, targets="up/a, other/b, third/c")
    object.__setattr__(house.gateway, "max_attempts", lambda _model, _targets: 1)
    stage = Stage(house)
    running = call(house)
    request = await stage.request("a")
    await asyncio.sleep(0.01)
    request.set_result(whole(chat_answer(5)))
    await running
    assert stage.asked("b") == 0


async def test_a_strict_budget_holds_for_both(tmp_path: Path) -> None:
    """It has reserved one billed try for each target, and a hedge is one of these."""
    providers = provider_yaml("up", STRICT) + provider_yaml("other", STRICT)
    house = start(tmp_path, key=STRICT, providers=providers)
    stage = Stage(house)
    running = call(house, max_tokens=50)
    first, second = await stage.request("a"), await stage.request("b")
    held = [charge for charge in house.memory.intents[-1].charges if charge.subject.startswith("provider:")]
    assert {charge.subject for charge in held} == {"provider:up", "provider:other"}, (
        "a crash now must charge both"
    )
    reserved = house.reserved()
    first.set_exception(httpx2.ReadTimeout("slow"))
    second.set_exception(httpx2.ReadTimeout("slow"))
    with pytest.raises(GatewayError):
        await running
    assert (stage.asked("a"), stage.asked("b")) == (1, 1)
    assert 0 < house.spent("key:ci") <= reserved
    assert_nothing_is_left(house)


async def test_the_percentile_is_learnt_from_what_calls_take(tmp_path: Path) -> None:
    house = start(tmp_path, after="p95")
    for _ in range(WARM):
        await house.serve(chat())
    hedge = house.gateway.hedges.of("m")
    assert hedge is not None
    assert hedge.wait("up/a", stream=False) == 0.0, "the clock of the test stood still"
    assert hedge.wait("up/a", stream=True) is None
    stage = Stage(house)
    stage.takes["a"] = 40.0
    running = call(house)
    second = await stage.request("b")
    house.time[1] += 3.0
    second.set_result(whole(chat_answer(5)))
    await running
    assert hedge._times["up/a", False]._sorted[-1] == 43.0, "the one that lost took at least so long"
    assert hedge._times["other/b", False]._sorted == [3.0]


async def test_waiting_for_two_at_once_is_no_overhead_of_ours(house: House) -> None:
    stage = Stage(house)
    stage.takes["a"] = 2.0
    running = call(house)
    second = await stage.request("b")
    house.time[1] += 3.0
    second.set_result(whole(chat_answer(5)))
    await running
    record = house.told[0]
    assert (record.upstream_ms, record.overhead_ms, record.duration_ms) == (5000, 0, 5000)


async def test_the_decisions_name_who_was_tried_beside_and_who_has_answered(house: House) -> None:
    log = structlog.testing.CapturingLogger()
    house.gateway = dataclasses.replace(house.gateway, trails=LoggedTrails(log))  # type: ignore[arg-type] - it records what a log would get
    stage = Stage(house)
    running = call(house)
    (await stage.request("b")).set_result(whole(chat_answer(5)))
    await running
    assert log.calls[0].kwargs["steps"] == [
        {"target": "other/b", "outcome": "begun", "then": "beside the one before"},
        {"target": "other/b", "outcome": "success", "then": "end"},
    ]


async def test_one_that_lost_teaches_balancers_nothing(tmp_path: Path) -> None:
    house = start(tmp_path, targets="up/a, other/b], balance: least_busy, queue: {}, fallback: [")
    stage = Stage(house)
    running = call(house)
    first, second = await stage.request("a"), await stage.request("b")
    first.set_result(whole(chat_answer(5)))
    await running
    assert second.cancelled()
    for target in house.gateway.router.plan("m", Operation.CHAT, house.keys["ci"]).targets:
        load = house.loads.watched(target)
        assert load is not None
        assert load.running == load.latency(stream=False).running == 0
    assert_nothing_is_left(house)


async def test_without_hedging_there_is_no_task(tmp_path: Path) -> None:
    house = build(tmp_path, config_yaml(models="m: [up/a, other/b]", providers=PROVIDERS))
    stage = Stage(house)
    running = call(house)
    request = await stage.request("a")
    assert asyncio.all_tasks() == {running, asyncio.current_task()}
    request.set_result(whole(chat_answer(5)))
    await running


@pytest.mark.slow
async def test_cancellation_at_every_turn(house: House) -> None:
    """The client leaves at each turn of the loop in a call with a hedge."""
    for turn in range(60):
        stage, client = Stage(house), Listener()
        running = call(house, client, stream=True)
        await stage.request("a")
        second = await stage.stream("b")
        second.say("one ")
        second.stop()
        await turns(turn)
        client.left = True
        running.cancel()
        await asyncio.wait([running])
        assert_nothing_is_left(house)
