"""Equal calls under way share one answer, and nothing else: not their rows, not their fate."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client import CollectorRegistry

from app.config.public_models import Mirror
from app.errors import GatewayError
from app.gateway import flight as flights
from app.gateway.mirror import Copies, Mirroring, way_of_copies
from app.telemetry.shortcuts import Shortcuts
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
from tests.app.gateway.stage import Faucet, Stage, assert_nothing_is_left, turns, until

HELD = 'limits: {concurrency: 99, rpm: 50, tpm: 9000000}, budget: {amount: "100.00", per: day}'
SECOND_KEY = f"{HELD}}}, {{name: other, key: sk-test-other-0123456789abcdef"
CONFIG = config_yaml(
    key=SECOND_KEY,
    providers="".join(
        provider_yaml(name, 'budget: {amount: "100.00", per: day}') for name in ("up", "other")
    ),
    models="m: {targets: [up/a, other/b], single_flight: true}, plain: [up/a]",
)
ASKED = {"temperature": 0}


@pytest.fixture
async def house(tmp_path: Path) -> House:
    return build(tmp_path, CONFIG)


@pytest.fixture
async def stage(house: House) -> Stage:
    return Stage(house)


def call(
    house: House, client: Listener | None = None, key: str = "ci", **fields: Any
) -> asyncio.Task[Listener]:
    return asyncio.create_task(house.serve(chat(**{**ASKED, **fields}), key, client=client))


def answer_of(fields: dict[str, Any]) -> Said:
    if not fields.get("stream"):
        return whole(chat_answer(1))
    return 200, "text/event-stream", [event({"content": "one "}), event({}, "stop"), b"data: [DONE]\n\n"]


async def leave(client: Listener, running: asyncio.Task[Listener]) -> None:
    client.left = True
    running.cancel()
    await asyncio.wait([running])


async def test_equal_whole_calls_share_one(house: House, stage: Stage) -> None:
    calls = [call(house) for _ in range(5)]
    await turns()
    (await stage.request("a")).set_result(whole(chat_answer(7)))
    clients = await asyncio.gather(*calls)
    assert stage.asked("a") == 1
    assert len({client.received for client in clients}) == 1
    assert [client.headers["x-switchgear-attempts"] for client in clients] == ["1", "0", "0", "0", "0"]
    assert [client.headers["x-switchgear-cost"] for client in clients] == ["0.000024", "0", "0", "0", "0"]
    assert {client.headers["x-switchgear-provider"] for client in clients} == {"up"}
    leader, *followers = sorted(house.told, key=lambda record: record.cache or "")
    assert (leader.cache, leader.output_tokens, leader.cost_nano) == (None, 7, 24_000)
    assert leader.attempts == 1
    for record in followers:
        assert (record.cache, record.outcome, record.status) == ("single_flight", "success", 200)
        assert (record.cost_nano, record.attempts, record.output_tokens) == (0, 0, None)
    assert house.spent("key:ci") == 24_000
    registry = CollectorRegistry()
    shortcuts = Shortcuts(registry)
    for record in house.told:
        shortcuts.observe(record)
    shown = {"operation": "chat", "cache": "single_flight"}
    assert registry.get_sample_value("switchgear_cached_calls_total", shown) == 4
    assert_nothing_is_left(house)


async def test_a_late_joiner_of_a_stream_gets_all_of_it(house: House, stage: Stage) -> None:
    first, second = Listener(), Listener()
    leader = call(house, first, stream=True)
    stream = await stage.stream("a")
    stream.role()
    stream.say("one ", "two ")
    await until(lambda: first.text == "one two ")
    follower = call(house, second, stream=True)
    await until(lambda: second.text == "one two ")
    stream.say("three")
    stream.stop(output=3)
    await asyncio.gather(leader, follower)
    assert first.received == second.received
    assert second.text == "one two three"
    assert second.received.endswith(b"data: [DONE]\n\n")
    assert stage.asked("a") == 1
    assert [(record.cache, record.output_tokens) for record in house.told] == [
        (None, 3),
        ("single_flight", None),
    ]
    assert_nothing_is_left(house)


@pytest.mark.parametrize(
    "other",
    [
        {"temperature": 0.1},
        {"messages": [{"role": "user", "content": "Bye"}]},
        {"user": "someone"},
        {"metadata": {"a": "b"}},
        {"seed": 1},
        {"n": 2},
        {"stream": True},
        {"key": "other"},
        {"model": "plain"},
        {"model": "up/a"},
    ],
    ids=lambda fields: next(iter(fields)),
)
async def test_others_never_share(house: House, stage: Stage, other: dict[str, Any]) -> None:
    first, second = call(house), call(house, **other)
    for number in (1, 2):
        (await stage.request("a", number)).set_result(answer_of(other if number == 2 else {}))
    await asyncio.wait([first, second])
    assert stage.asked("a") == 2
    assert [record.cache for record in house.told] == [None, None]
    assert_nothing_is_left(house)


@pytest.mark.parametrize(
    ("fields", "shared"),
    [
        ({"temperature": 0}, True),
        ({"temperature": 0.0}, True),
        ({"temperature": 1, "seed": 7}, True),
        ({"temperature": 1}, False),
        ({"temperature": None}, False),
        ({"temperature": 1, "seed": None}, False),
        ({"stream": False}, True),
    ],
)
async def test_only_what_is_repeatable_is_shared(
    house: House, stage: Stage, fields: dict[str, Any], shared: bool
) -> None:
    calls = [call(house, **fields), call(house, **fields)]
    await turns()
    (await stage.request("a")).set_result(whole(chat_answer(1)))
    if not shared:
        (await stage.request("a", 2)).set_result(whole(chat_answer(1)))
    await asyncio.gather(*calls)
    assert stage.asked("a") == (1 if shared else 2)


async def test_the_order_of_fields_and_a_stream_that_is_not_wanted_make_no_difference(
    house: House, stage: Stage
) -> None:
    body = chat(**ASKED)
    calls = [
        asyncio.create_task(house.serve(each))
        for each in (body, {**dict(reversed(body.items())), "stream": False})
    ]
    await turns()
    (await stage.request("a")).set_result(whole(chat_answer(1)))
    await asyncio.gather(*calls)
    assert stage.asked("a") == 1


async def test_embeddings_are_always_shared(house: House, stage: Stage) -> None:
    body = {"model": "m", "input": "Hello"}
    calls = [asyncio.create_task(house.serve(body, operation=Operation.EMBEDDINGS)) for _ in range(2)]
    await turns()
    vector = {"object": "embedding", "index": 0, "embedding": [0.5]}
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    answer = {"object": "list", "model": "m", "data": [vector], "usage": usage}
    (await stage.request("a")).set_result(whole(answer))
    one, two = await asyncio.gather(*calls)
    assert one.received == two.received
    assert stage.asked("a") == 1


async def test_an_answer_that_has_ended_is_not_shared(house: House, stage: Stage) -> None:
    for number in (1, 2):
        running = call(house)
        (await stage.request("a", number)).set_result(whole(chat_answer(1)))
        await running
    assert stage.asked("a") == 2


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_leader_s_leaving_does_not_end_the_followers(
    house: House, stage: Stage, stream: bool
) -> None:
    first, second = Listener(), Listener()
    leader, follower = call(house, first, stream=stream), call(house, second, stream=stream)
    request = await stage.request("a")
    await turns()
    await leave(first, leader)
    assert not request.cancelled()
    assert not house.told, "its row waits for what the answer costs"
    if stream:
        faucet = await stage.stream("a")
        faucet.say("word")
        faucet.stop(output=4)
    else:
        request.set_result(whole(chat_answer(4)))
    await follower
    assert second.received
    by_cache = {record.cache: record for record in house.told}
    assert by_cache[None].outcome == "client_cancelled"
    assert (by_cache[None].output_tokens, by_cache[None].cost_nano) == (4, 18_000)
    assert (by_cache["single_flight"].outcome, by_cache["single_flight"].cost_nano) == ("success", 0)
    assert house.spent("key:ci") == 18_000
    assert_nothing_is_left(house)


async def test_the_leader_s_deadline_is_its_own(house: House, stage: Stage) -> None:
    loop = asyncio.get_running_loop()
    leader = asyncio.create_task(house.serve(chat(**ASKED), deadline=loop.time() + 0.02))
    request = await stage.request("a")
    follower = call(house)
    with pytest.raises(GatewayError) as refused:
        await leader
    assert refused.value.code == "deadline_exceeded"
    request.set_result(whole(chat_answer(4)))
    await follower
    assert sorted((r.outcome, r.status, r.cost_nano) for r in house.told) == [
        ("deadline_exceeded", 504, 18_000),
        ("success", 200, 0),
    ]
    assert_nothing_is_left(house)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("leader_first", [True, False])
@pytest.mark.parametrize("times", [1, 2])
async def test_case_84_when_the_last_one_leaves_the_provider_is_let_go(
    house: House, stage: Stage, stream: bool, leader_first: bool, times: int
) -> None:
    clients = [Listener(), Listener()]
    calls = [call(house, client, stream=stream) for client in clients]
    request = await stage.request("a")
    await turns()
    order = [0, 1] if leader_first else [1, 0]
    for number in order:
        clients[number].left = True
        for _ in range(times):
            calls[number].cancel()
            await turns(1)
        await asyncio.wait([calls[number]])
    await turns()
    assert request.cancelled()
    assert sorted(record.outcome for record in house.told) == ["client_cancelled", "client_cancelled"]
    (leader,) = [record for record in house.told if record.cache is None]
    assert [attempt.outcome for attempt in leader.tries] == ["cancelled"]
    assert leader.cost_nano, "its prompt may be billed"
    assert_nothing_is_left(house)


async def test_after_the_last_one_has_left_a_new_one_begins_anew(house: House, stage: Stage) -> None:
    client = Listener()
    running = call(house, client)
    await stage.request("a")
    client.left = True
    running.cancel()
    again = call(house)
    (await stage.request("a", 2)).set_result(whole(chat_answer(1)))
    await again
    assert_nothing_is_left(house)


async def test_an_error_is_told_to_all(house: House, stage: Stage) -> None:
    calls = [call(house) for _ in range(3)]
    await turns()
    (await stage.request("a")).set_result(whole({"error": {"message": "too bad"}}, 400))
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert [(each.code, each.http_status) for each in told if isinstance(each, GatewayError)] == [
        ("invalid_request", 400)
    ] * 3
    assert stage.asked("a") == 1
    assert [record.outcome for record in house.told] == ["refused"] * 3
    assert [record.cost_nano for record in house.told] == [0, 0, 0]
    assert_nothing_is_left(house)


async def test_a_fallback_serves_all(house: House, stage: Stage) -> None:
    calls = [call(house) for _ in range(3)]
    await turns()
    (await stage.request("a")).set_exception(httpx2.ReadTimeout("slow"))
    (await stage.request("b")).set_result(whole(chat_answer(1)))
    clients = await asyncio.gather(*calls)
    assert {client.headers["x-switchgear-provider"] for client in clients} == {"other"}
    assert clients[0].headers["x-switchgear-attempts"] == "2"
    assert_nothing_is_left(house)


async def test_a_stream_that_breaks_off_breaks_off_for_all(house: House, stage: Stage) -> None:
    clients = [Listener() for _ in range(3)]
    calls = [call(house, client, stream=True) for client in clients]
    stream = await stage.stream("a")
    stream.say("one ")
    await until(lambda: all(client.text == "one " for client in clients))
    stream.put(httpx2.ReadError("cut"))
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert [each.code for each in told if isinstance(each, GatewayError)] == ["upstream_disconnected"] * 3
    assert [record.outcome for record in house.told] == ["truncated"] * 3
    assert sorted(bool(record.cost_nano) for record in house.told) == [False, False, True]
    assert_nothing_is_left(house)


@dataclass
class Slow(Listener):
    """Reads only while it is let."""

    reads: asyncio.Event = field(default_factory=asyncio.Event)

    async def write(self, frames: bytes, headers: Any) -> None:
        await super().write(frames, headers)
        await self.reads.wait()


LARGE = "x" * 16_000


async def test_one_that_reads_slowly_holds_nobody_up_and_is_let_go(house: House, stage: Stage) -> None:
    quick, slow = Listener(), Slow()
    first, second = call(house, quick, stream=True), call(house, slow, stream=True)
    stream = await stage.stream("a")
    count = 3 * flights.LAG // len(LARGE)
    stream.say(*[LARGE] * count)
    stream.stop()
    await first
    assert len(quick.text) == count * len(LARGE)
    slow.reads.set()
    with pytest.raises(GatewayError) as refused:
        await second
    assert refused.value.code == "read_too_slowly"
    assert len(slow.received) < flights.LAG
    assert_nothing_is_left(house)


async def test_when_all_read_slowly_the_provider_waits(house: House, stage: Stage) -> None:
    clients = [Slow(), Slow()]
    calls = [call(house, client, stream=True) for client in clients]
    stream: Faucet = await stage.stream("a")
    count = 3 * flights.LAG // len(LARGE)
    stream.say(*[LARGE] * count)
    stream.stop()
    await turns(2_000)
    assert stream.taken < 4 * flights.AHEAD
    for client in clients:
        client.reads.set()
    await asyncio.gather(*calls)
    assert {len(client.text) for client in clients} == {count * len(LARGE)}
    assert_nothing_is_left(house)


async def test_what_is_kept_for_late_ones_is_bounded(house: House, stage: Stage) -> None:
    first = Listener()
    leader = call(house, first, stream=True)
    stream = await stage.stream("a")
    count = flights.REPLAY // len(LARGE) + 1
    stream.say(*[LARGE] * count)
    await until(lambda: len(first.text) == count * len(LARGE))
    late = call(house, stream=True)
    other = await stage.stream("a", 2)
    for each in (stream, other):
        each.say("end")
        each.stop()
    await asyncio.gather(leader, late)
    assert stage.asked("a") == 2
    assert_nothing_is_left(house)


async def test_requests_are_counted_and_tokens_are_not(house: House, stage: Stage) -> None:
    calls = [call(house, max_tokens=1000) for _ in range(5)]
    await turns()
    (await stage.request("a")).set_result(whole(chat_answer(7)))
    await asyncio.gather(*calls)
    used = {key.split()[0]: meter.used(house.time[1]) for key, meter in house.meters._meters.items()}
    assert used["rpm"] == 5
    assert used["tpm"] == 17


async def test_waiting_for_another_s_answer_is_no_overhead_of_ours(house: House, stage: Stage) -> None:
    calls = [call(house), call(house)]
    request = await stage.request("a")
    await turns()
    house.time[1] += 5.0
    request.set_result(whole(chat_answer(1)))
    await asyncio.gather(*calls)
    for record in house.told:
        assert (record.upstream_ms, record.overhead_ms, record.duration_ms) == (5000, 0, 5000)


async def test_a_mirror_gets_one_copy_of_them(house: House, stage: Stage) -> None:
    copies = Copies(lambda: None, house.log)
    mirroring = Mirroring(
        mirrors={"m": Mirror(target="other/new", share=Decimal(1))},
        gateway=way_of_copies(house.gateway),
        copies=copies,
        clock=house.clock,
        new_id=lambda: "copy",
        on_finish=house.told.append,
        random=lambda: 0.0,
    )
    house.gateway = replace(house.gateway, guards=[*house.gateway.guards, mirroring])
    calls = [call(house) for _ in range(3)]
    await turns()
    (await stage.request("a")).set_result(whole(chat_answer(1)))
    await asyncio.gather(*calls)
    (await stage.request("new")).set_result(whole(chat_answer(1)))
    await until(lambda: len(house.told) == 4)
    assert stage.asked("new") == 1
    await copies.close()


async def test_a_call_that_is_not_shared_has_no_task(house: House, stage: Stage) -> None:
    running = call(house, temperature=1)
    request = await stage.request("a")
    assert asyncio.all_tasks() == {running, asyncio.current_task()}
    request.set_result(whole(chat_answer(1)))
    await running


async def test_a_shared_call_may_be_hedged(tmp_path: Path) -> None:
    models = "m: {targets: [up/a, other/b], single_flight: true, hedge: {after: 1ms, cap: 1}}"
    house = build(tmp_path, CONFIG.replace("m: {targets: [up/a, other/b], single_flight: true}", models))
    stage = Stage(house)
    calls = [call(house, stream=True) for _ in range(3)]
    first, second = await stage.stream("a"), await stage.stream("b")
    second.say("word")
    second.stop()
    clients = await asyncio.gather(*calls)
    assert {client.text for client in clients} == {"word"}
    assert first.closed
    assert {client.headers["x-switchgear-provider"] for client in clients} == {"other"}
    assert_nothing_is_left(house)


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_leaving_at_every_turn(house: House, stream: bool) -> None:
    """Leader and follower leave at each turn of the loop, one after the other."""
    for turn in range(24):
        for leader_first in (True, False):
            stage = Stage(house)
            clients = [Listener(), Listener()]
            calls = [call(house, client, stream=stream) for client in clients]
            request = await stage.request("a")
            request.set_result(answer_of({"stream": stream}))
            await turns(turn // 2)
            for number in (0, 1) if leader_first else (1, 0):
                await leave(clients[number], calls[number])
                await turns(turn % 2)
            assert_nothing_is_left(house)
            house.time[1] += 61.0
