"""Fallbacks, mirrors and decisions through a whole gateway in this process. Reliability cases 34, 71, 72, 94."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest
import structlog

from app.config.public_models import Mirror
from app.errors import GatewayError
from app.gateway.mirror import Copies, Mirroring, way_of_copies
from app.gateway.trail import LoggedTrails
from tests.app.gateway.building import (
    House,
    Said,
    build,
    chat,
    chat_answer,
    config_yaml,
    provider_yaml,
    whole,
)

PROVIDERS = "".join(provider_yaml(name) for name in ("one", "two", "long", "free", "spare", "rest"))
MODEL = (
    "m: {targets: [one/m1, two/m2], fallback: {default: [rest/rest], context_window: [long/long],"
    " content_policy: [free/free], rate_limit: [spare/spare]}}"
)
GOOD = whole(chat_answer(5))


def error(status: int, code: str | None = None, message: str = "no") -> Said:
    return whole({"error": {"message": message, "type": "t", "param": None, "code": code}}, status)


def says(house: House, **answers: Said | Exception) -> None:
    """Answer for each upstream model; those that are not named answer well."""
    house.wire.answer = lambda body: answers.get(body["model"], GOOD)


def tried(house: House) -> list[str]:
    return [body["model"] for body in house.wire.bodies]


@pytest.mark.parametrize(
    ("first", "second", "models"),
    [
        (error(500), None, ["m1", "m2"]),
        (error(500), error(503), ["m1", "m2", "rest"]),
        (error(401), error(404), ["m1", "m2", "rest"]),
        (error(400, "context_length_exceeded"), None, ["m1", "long"]),
        (error(500), error(400, "context_length_exceeded"), ["m1", "m2", "long"]),
        (error(400, "content_policy_violation"), None, ["m1", "free"]),
        (error(429), error(429), ["m1", "m2", "spare"]),
        (error(429), error(429, "insufficient_quota"), ["m1", "m2", "spare"]),
        (error(429), error(500), ["m1", "m2", "rest"]),
    ],
)
async def test_each_failure_leads_to_its_chain(
    tmp_path: Any, first: Said, second: Said | None, models: list[str]
) -> None:
    house = build(tmp_path, config_yaml(providers=PROVIDERS, models=MODEL))
    says(house, m1=first, m2=second or GOOD)
    client = await house.serve(chat())
    assert tried(house) == models
    assert client.headers["x-switchgear-model"] == models[-1]
    assert client.headers["x-switchgear-attempts"] == str(len(models))
    (record,) = house.memory.records
    assert (record.outcome, record.fallback, record.attempts) == ("success", True, len(models))


async def test_a_request_that_is_wrong_is_tried_nowhere_else(tmp_path: Any) -> None:
    house = build(tmp_path, config_yaml(providers=PROVIDERS, models=MODEL))
    says(house, m1=error(400))
    assert await house.outcome(chat()) == "invalid_request"
    assert tried(house) == ["m1"]


async def test_without_a_chain_for_it_the_client_is_told_of_its_prompt(tmp_path: Any) -> None:
    models = "m: {targets: [one/m1, two/m2], fallback: [rest/rest]}"
    house = build(tmp_path, config_yaml(providers=PROVIDERS, models=models))
    says(house, m1=error(400, "context_length_exceeded"))
    assert await house.outcome(chat()) == "context_length_exceeded"
    assert tried(house) == ["m1"]


async def test_our_own_limits_for_all_targets_lead_to_the_limits_chain(tmp_path: Any) -> None:
    providers = provider_yaml("one", "limits: {rpm: 1}") + provider_yaml("two", "limits: {rpm: 1}")
    providers += "".join(provider_yaml(name) for name in ("long", "free", "spare", "rest"))
    house = build(tmp_path, config_yaml(providers=providers, models=MODEL))
    for _ in range(3):
        await house.serve(chat())
    assert tried(house) == ["m1", "m2", "spare"]


async def test_the_last_failure_is_told_when_every_chain_has_failed(tmp_path: Any) -> None:
    house = build(tmp_path, config_yaml(providers=PROVIDERS, models=MODEL))
    says(house, m1=error(429), m2=error(429), spare=error(500), rest=error(503))
    with pytest.raises(GatewayError) as caught:
        await house.serve(chat())
    assert caught.value.code == "upstream_overloaded"
    assert tried(house) == ["m1", "m2", "spare", "rest"]


async def test_a_strict_budget_reserves_for_the_fallbacks_too_and_is_never_exceeded(tmp_path: Any) -> None:
    key = 'budget: {amount: "0.03", per: total, mode: strict}'
    house = build(tmp_path, config_yaml(key=key, providers=PROVIDERS, models=MODEL))
    cut = (200, "application/json", [b'{"object": "chat.completion", "choi'])
    says(house, m1=cut, m2=cut, rest=whole(chat_answer(1_000)))
    while await house.outcome(chat(max_completion_tokens=1_000)) == "ok":
        assert house.spent("key:ci") <= 30_000_000
    assert 0 < house.spent("key:ci") <= 30_000_000
    assert house.reserved() == 0


async def test_a_fallback_without_a_price_is_refused_under_a_budget(tmp_path: Any) -> None:
    providers = provider_yaml("one") + provider_yaml("rest", prices="")
    models = "m: {targets: [one/m1], fallback: [rest/rest]}"
    key = 'budget: {amount: "1.00", per: total}'
    house = build(tmp_path, config_yaml(key=key, providers=providers, models=models))
    assert await house.outcome(chat()) == "unknown_price"


async def test_the_cheapest_is_asked_and_the_next_one_follows(tmp_path: Any) -> None:
    prices = {"one": "3", "two": "1", "free": "2"}
    providers = "".join(
        provider_yaml(name, prices=f'input_mtok: "{p}", output_mtok: "{p}"') for name, p in prices.items()
    )
    models = "m: {targets: [one/m1, two/m2, free/m3], balance: cost}"
    house = build(tmp_path, config_yaml(providers=providers, models=models))
    says(house, m2=error(500))
    await house.serve(chat())
    assert tried(house) == ["m2", "m3"]


async def test_the_least_busy_is_asked_and_attempts_are_counted_out(tmp_path: Any) -> None:
    models = "m: {targets: [one/m1, two/m2], balance: least_busy}"
    house = build(tmp_path, config_yaml(providers=PROVIDERS, models=models))
    door = asyncio.Event()

    async def later() -> Said:
        await door.wait()
        return GOOD

    house.wire.answer = lambda _body: later()
    calls = [asyncio.create_task(house.serve(chat())) for _ in range(10)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert sorted(tried(house)) == ["m1"] * 5 + ["m2"] * 5
    calls[0].cancel()
    door.set()
    await asyncio.gather(*calls, return_exceptions=True)
    watched = [
        house.loads.of(target) for target in house.gateway.router.plan("m", "chat", house.keys["ci"]).targets
    ]  # type: ignore[arg-type] - an operation is its text
    assert [load.running for load in watched] == [0, 0]


async def test_a_session_stays_at_its_target(tmp_path: Any) -> None:
    models = "m: {targets: [one/m1, two/m2], sticky: session, balance: weighted}"
    house = build(tmp_path, config_yaml(providers=PROVIDERS, models=models))
    for session in "abcdefgh":
        for _ in range(3):
            await house.serve(chat(), session=session)
    homes = {tuple(tried(house)[at : at + 3]) for at in range(0, 24, 3)}
    assert homes == {("m1",) * 3, ("m2",) * 3}


# Decisions


async def test_decisions_are_told_with_their_reasons_and_without_contents(tmp_path: Any) -> None:
    house = build(tmp_path, config_yaml(providers=PROVIDERS, models=MODEL))
    log = structlog.testing.CapturingLogger()
    house.gateway = dataclasses.replace(house.gateway, trails=LoggedTrails(log))  # type: ignore[arg-type] - it records what a log would get
    says(house, m1=error(429, message="secret words"), m2=error(500))
    await house.serve(chat("a secret prompt"))
    (call,) = log.calls
    assert call.args == ("decisions",)
    told = call.kwargs
    assert told["plan"] == [
        {"target": "one/m1", "why": "as listed"},
        {"target": "two/m2", "why": "as listed"},
    ]
    assert told["fallbacks"]["rate_limit"] == ["spare/spare"]
    assert told["steps"] == [
        {"target": "one/m1", "outcome": "upstream_rate_limited", "then": "next target"},
        {"target": "two/m2", "outcome": "upstream_error", "then": "next target"},
        {"target": "rest/rest", "outcome": "success", "then": "end"},
    ]
    assert "secret" not in repr(call)
    assert "cred-" not in repr(call)


# Mirrors


def mirrored(house: House, *, share: str = "1", most: int = 32, target: str = "two/copy") -> Copies:
    copies = Copies(house.metrics.count_dropped_copy, house.log, most)  # type: ignore[arg-type] - it records what a log would get
    numbers = iter(range(1_000_000))
    mirroring = Mirroring(
        mirrors={"m": Mirror(target=target, share=Decimal(share))},
        gateway=way_of_copies(house.gateway),
        copies=copies,
        clock=house.clock,
        new_id=lambda: f"copy-{next(numbers)}",
        on_finish=house.told.append,
        random=iter([0.0, 0.5, 0.99] * 1_000).__next__,
    )
    house.gateway = dataclasses.replace(house.gateway, guards=[*house.gateway.guards, mirroring])
    return copies


async def until(settled: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not settled():
            await asyncio.sleep(0)


def copied(house: House) -> list[Any]:
    return [record for record in house.memory.records if record.operation == "mirror"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_copy_is_sent_and_accounted_apart(tmp_path: Any, stream: bool) -> None:
    key = 'budget: {amount: "1.00", per: total}'
    providers = provider_yaml("one") + provider_yaml("two", 'budget: {amount: "1.00", per: total}')
    house = build(tmp_path, config_yaml(key=key, providers=providers, models="m: [one/m1]"))
    mirrored(house)
    events = (
        b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    )
    if stream:
        house.wire.answer = lambda _body: (200, "text/event-stream", [events])
    client = await house.serve(chat(stream=stream))
    await until(lambda: bool(copied(house)))
    assert tried(house) == ["m1", "copy"]
    assert client.received.count(b'"x"' if stream else b'"word"') == 1
    original, copy = house.memory.records
    assert (copy.key, copy.provider, copy.outcome, copy.request_id) == (
        None,
        "two",
        "success",
        original.request_id,
    )
    assert copy.id != original.id
    assert house.spent("provider:two") == copy.cost_nano > 0
    assert house.spent("key:ci") == original.cost_nano
    assert house.reserved() == 0


async def test_only_a_share_is_copied(tmp_path: Any) -> None:
    house = build(tmp_path, config_yaml(providers=PROVIDERS, models="m: [one/m1]"))
    copies = mirrored(house, share="0.6")
    for _ in range(9):
        await house.serve(chat())
    await until(lambda: len(copied(house)) == 6)
    await copies.close()
    assert len(copied(house)) == 6


async def test_a_copy_that_fails_or_hangs_is_nobody_s_trouble_and_ends_at_the_stop(tmp_path: Any) -> None:
    house = build(tmp_path, config_yaml(providers=PROVIDERS, models="m: [one/m1]"))
    copies = mirrored(house, most=2)
    waiting: Mapping[str, Any] = {"copy": asyncio.Event()}

    async def never() -> Said:
        await waiting["copy"].wait()
        return GOOD

    house.wire.answer = lambda body: never() if body["model"] == "copy" else GOOD
    for _ in range(5):
        assert await house.outcome(chat()) == "ok"
    for _ in range(10):
        await asyncio.sleep(0)
    assert tried(house).count("copy") == 2
    assert b"switchgear_mirror_dropped_total 3.0" in house.metrics.scrape()
    await copies.close()
    assert [record.outcome for record in copied(house)] == ["interrupted"] * 2
    assert house.reserved() == 0

    says(house, copy=error(500))
    assert await house.outcome(chat()) == "ok"
    await until(lambda: len(copied(house)) == 3)
    assert copied(house)[-1].outcome == "upstream_error"
    assert copied(house)[-1].attempts == 1


async def test_a_call_that_failed_or_has_a_strict_budget_is_not_copied(tmp_path: Any) -> None:
    key = 'budget: {amount: "9.00", per: total, mode: strict}'
    house = build(tmp_path, config_yaml(key=key, providers=PROVIDERS, models="m: [one/m1]"))
    copies = mirrored(house)
    assert await house.outcome(chat(max_completion_tokens=10)) == "ok"
    await copies.close()
    assert tried(house) == ["m1"]

    house = build(tmp_path / "other", config_yaml(providers=PROVIDERS, models="m: [one/m1]"))
    copies = mirrored(house)
    says(house, m1=error(500))
    assert await house.outcome(chat()) == "upstream_error"
    await copies.close()
    assert tried(house) == ["m1"]


async def test_a_copy_leaves_no_region_that_its_key_may_use(tmp_path: Any) -> None:
    providers = provider_yaml("one", "region: eu") + provider_yaml("two", "region: us")
    house = build(tmp_path, config_yaml(key="regions: [eu]", providers=providers, models="m: [one/m1]"))
    mirrored(house)
    assert await house.outcome(chat()) == "ok"
    await until(lambda: len(house.told) == 2)
    assert tried(house) == ["m1"]
    assert house.told[1].error_type == "region_not_allowed"
