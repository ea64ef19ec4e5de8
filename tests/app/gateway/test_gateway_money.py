"""What calls reserve and cost, and what becomes of it: a gateway in this process with the wire played."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx2
import pytest

from app.errors import BadRequest, BudgetExceeded, LimitReached
from providers.types import Operation
from tests.app.gateway.building import (
    Listener,
    build,
    chat,
    chat_answer,
    config_yaml,
    event,
    provider_yaml,
    whole,
)

TWO = provider_yaml("up") + provider_yaml("other", prices='input_mtok: "10.00", output_mtok: "20.00"')
STRICT = 'budget: {amount: "1.00", per: day, mode: strict}'
FITTED = 'budget: {amount: "%s", per: day, mode: %s, fit_max_tokens: true}'


def nano(prompt: int, output: int) -> int:
    """Price tokens at a dollar and two a million."""
    return 1_000 * prompt + 2_000 * output


async def test_a_call_costs_what_the_provider_counted(tmp_path: Path) -> None:
    house = build(tmp_path, config_yaml(key=STRICT))
    house.wire.answer = lambda _: whole(chat_answer(80, 24))
    client = await house.serve(chat(max_tokens=100))
    (record,) = house.memory.records
    assert record.cost_nano == nano(24, 80) == house.spent("key:ci")
    assert record.cost == "0.000184" == client.headers["x-switchgear-cost"]
    assert [a.cost_nano for a in record.tries] == [record.cost_nano]
    assert house.reserved() == 0


async def test_cached_tokens_are_cheaper(tmp_path: Path) -> None:
    prices = 'input_mtok: "1.00", output_mtok: "2.00", cached_mtok: "0.10"'
    house = build(tmp_path, config_yaml(providers=provider_yaml("up", prices=prices)))
    house.wire.answer = lambda _: whole(chat_answer(10, 1000, prompt_tokens_details={"cached_tokens": 900}))
    await house.serve(chat())
    assert house.memory.records[0].cost_nano == 100 * 1_000 + 900 * 100 + 10 * 2_000
    assert house.memory.records[0].cached_tokens == 900


async def test_all_attempts_are_paid_for(tmp_path: Path) -> None:
    """A stream that breaks before its first event reached the client may be billed: it is estimated, and added."""
    config = config_yaml(key=STRICT, providers=TWO, models="m: [up/a, other/b]")
    house = build(tmp_path, config)
    house.wire.answer = lambda body: (
        httpx2.ReadTimeout("slow") if body["model"] == "a" else whole(chat_answer(10, 20))
    )
    await house.serve(chat("x" * 400, max_tokens=100))
    (record,) = house.memory.records
    first, second = record.tries
    assert first.cost_nano is not None
    assert first.cost_nano >= 100 * 1_000, "the prompt of some 100 tokens was sent"
    assert second.cost_nano == 20 * 10_000 + 10 * 20_000
    assert record.cost_nano == first.cost_nano + second.cost_nano == house.spent("key:ci")


async def test_an_attempt_that_did_nothing_does_not_hide_one_that_is_billed(tmp_path: Path) -> None:
    config = config_yaml(key="limits: {tpm: 10000}", providers=TWO, models="m: [up/a, other/b]")
    house = build(tmp_path, config)
    house.wire.answer = lambda body: (
        httpx2.ReadTimeout("slow") if body["model"] == "a" else httpx2.ConnectError("refused")
    )
    assert await house.outcome(chat("x" * 400, max_tokens=100)) == "upstream_unreachable"
    (record,) = house.memory.records
    assert record.cost_nano
    assert record.usage_source == "estimated"
    assert record.input_tokens
    assert [a.input_tokens for a in record.tries] == [record.input_tokens, None]
    with pytest.raises(LimitReached, match="Rate limit") as refused:
        await house.serve(chat("x" * 39_400, max_tokens=100))
    assert refused.value.retry_after is not None, "tokens of a billed attempt were given back"


async def test_a_price_that_nobody_knows_is_refused_by_name_of_the_setting(tmp_path: Path) -> None:
    providers = provider_yaml("up", prices="")
    house = build(tmp_path, config_yaml(key=STRICT, providers=providers))
    with pytest.raises(BadRequest, match="providers.up.prices") as refused:
        await house.serve(chat(max_tokens=10))
    assert refused.value.code == "unknown_price"
    assert house.wire.bodies == []


async def test_a_price_that_nobody_knows_is_allowed_where_that_is_wanted(tmp_path: Path) -> None:
    config = config_yaml(
        key=STRICT, providers=provider_yaml("up", prices=""), more="ledger: {unknown_price: allow}\n"
    )
    house = build(tmp_path, config)
    client = await house.serve(chat(max_tokens=10))
    (record,) = house.memory.records
    assert (record.cost, record.cost_nano, record.charges) == (None, None, [])
    assert "x-switchgear-cost" not in client.headers


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({"max_tokens": 64_000}, {"max_tokens"}),
        ({"max_completion_tokens": 64_000}, {"max_completion_tokens"}),
        ({"max_tokens": 64_000, "max_completion_tokens": 64_000}, {"max_tokens", "max_completion_tokens"}),
        ({"max_tokens": 10, "max_completion_tokens": 64_000}, {"max_tokens", "max_completion_tokens"}),
        ({}, {"max_completion_tokens"}),
    ],
    ids=lambda value: "+".join(sorted(value)),
)
@pytest.mark.parametrize("mode", ["strict", "learned"])
async def test_what_the_provider_gets_is_lowered_to_what_fits(
    tmp_path: Path, mode: str, given: dict[str, int], fields: set[str]
) -> None:
    """A cent pays for less than 5,000 tokens at two dollars a million, so for fewer than were asked for."""
    house = build(tmp_path, config_yaml(key=FITTED % ("0.009", mode)))
    await house.serve(chat(**given))
    (body,) = house.wire.bodies
    sent = {name: body[name] for name in ("max_tokens", "max_completion_tokens") if name in body}
    if given or mode == "strict":
        assert sent.keys() == fields
    assert all(3_000 < tokens <= 4_500 for tokens in sent.values())


@pytest.mark.parametrize("n", [1, 3])
async def test_a_fitted_call_spends_no_more_than_there_is(tmp_path: Path, n: int) -> None:
    house = build(tmp_path, config_yaml(key=FITTED % ("0.009", "strict")))
    house.wire.answer = lambda body: whole(chat_answer(body["max_tokens"] * body["n"], 500))
    await house.serve(chat(max_tokens=64_000, n=n))
    assert 0 < house.spent("key:ci") <= 9_000_000
    assert await house.outcome(chat("x" * 5_000, max_tokens=64_000, n=n)) == "insufficient_quota"


async def test_a_call_without_a_cap_is_left_alone_while_there_is_much_money(tmp_path: Path) -> None:
    """A provider refuses a cap above what its model can give, and nobody asked for one."""
    house = build(tmp_path, config_yaml(key=FITTED % ("100.00", "learned")))
    await house.serve(chat())
    assert not {"max_tokens", "max_completion_tokens"} & house.wire.bodies[0].keys()


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "https://x.test/large.png"}},
        {"type": "input_image", "file_id": "f"},
        {"type": "video", "url": "https://x.test/v"},
        {"url": "https://x.test/what"},
        {"type": "tool_result", "content": [{"type": "image", "source": {}}]},
    ],
    ids=lambda part: str(part.get("type")),
)
async def test_strict_refuses_what_it_cannot_bound(tmp_path: Path, part: dict[str, object]) -> None:
    house = build(tmp_path, config_yaml(key=STRICT))
    body = chat(max_tokens=10)
    body["messages"][0]["content"] = [{"type": "text", "text": "What is this?"}, part]
    assert await house.outcome(body) == "unbounded_cost"
    assert house.wire.bodies == []
    body["messages"][0]["content"] = [{"type": "text", "text": "Nothing else."}]
    assert await house.outcome(body) == "ok"


async def test_strict_refuses_tools_that_the_provider_runs(tmp_path: Path) -> None:
    house = build(tmp_path, config_yaml(key=STRICT))
    own = {"type": "function", "function": {"name": "f"}}
    for tools, outcome in (
        ([own], "ok"),
        ([{"name": "f", "input_schema": {"type": "object"}}], "ok"),
        ([own, {"type": "web_search_20250305", "name": "web_search"}], "unbounded_cost"),
        ([{"googleSearch": {}}], "unbounded_cost"),
        ([{"type": ["function"], "name": "f"}], "unbounded_cost"),
    ):
        assert await house.outcome({**chat(max_tokens=10), "tools": tools}) == outcome, tools
    assert await house.outcome({**chat(max_tokens=10), "plugins": [{"id": "web"}]}) == "unbounded_cost"


async def test_strict_refuses_a_sound_that_stands_at_the_provider(tmp_path: Path) -> None:
    house = build(tmp_path, config_yaml(key=STRICT))
    body = chat(max_tokens=10)
    body["messages"].insert(0, {"role": "assistant", "audio": {"id": "audio_1"}})
    assert await house.outcome(body) == "unbounded_cost"


async def test_strict_refuses_where_the_cap_is_dropped_on_the_way(tmp_path: Path) -> None:
    providers = provider_yaml("up", "drop: [max_completion_tokens]")
    house = build(tmp_path, config_yaml(key=STRICT, providers=providers))
    assert await house.outcome(chat(max_completion_tokens=10)) == "unbounded_cost"
    assert await house.outcome(chat(max_tokens=10)) == "ok"


async def test_strict_needs_a_cap(tmp_path: Path) -> None:
    house = build(tmp_path, config_yaml(key=STRICT))
    with pytest.raises(BadRequest, match="max_completion_tokens"):
        await house.serve(chat())
    embed = {"model": "m", "input": "a text"}
    assert await house.outcome(embed, operation=Operation.EMBEDDINGS) != "unbounded_cost"


async def test_an_estimate_is_never_more_than_the_call_allowed(tmp_path: Path) -> None:
    """English has more than four bytes a token: what is cut off at its cap must not be charged above it."""
    house = build(tmp_path, config_yaml(key=STRICT))
    events = [event({"content": "extraordinarily "}) for _ in range(10)]
    house.wire.answer = lambda _: (200, "text/event-stream", [*events, httpx2.ReadError("cut")])
    assert await house.outcome(chat(max_tokens=10, stream=True)) == "upstream_disconnected"
    (record,) = house.memory.records
    assert (record.usage_source, record.output_tokens) == ("estimated", 10)


async def test_the_intent_tells_what_every_budget_holds(tmp_path: Path) -> None:
    """A run that dies in a call leaves nothing else behind, and the provider may bill it."""
    budget = 'budget: {amount: "1.00", per: day}'
    providers = provider_yaml("up", budget) + provider_yaml("other", budget)
    config = config_yaml(key=budget, providers=providers, models="m: [up/a, other/b]")
    house = build(tmp_path, config)
    seen: list[set[str]] = []

    def answer(body: dict[str, object]):
        last = house.memory.intents[-1]
        seen.append({charge.subject for charge in last.charges})
        assert all(charge.nano > 0 for charge in last.charges)
        return httpx2.ReadTimeout("slow") if body["model"] == "a" else whole(chat_answer(1))

    house.wire.answer = answer
    await house.serve(chat(max_tokens=10))
    assert seen == [{"key:ci", "provider:up"}, {"key:ci", "provider:up", "provider:other"}]
    assert len({intent.id for intent in house.memory.intents}) == 1


async def test_budgets_begin_anew_with_their_period(tmp_path: Path) -> None:
    house = build(tmp_path, config_yaml(key='budget: {amount: "0.01", per: minute, mode: strict}'))
    house.wire.answer = lambda _: whole(chat_answer(1000, 1000))
    body = chat(max_tokens=2000)
    assert [await house.outcome(body) for _ in range(4)] == [
        "ok",
        "ok",
        "insufficient_quota",
        "insufficient_quota",
    ]
    with pytest.raises(BudgetExceeded, match="begins anew") as refused:
        await house.serve(body)
    assert dict(refused.value.headers) == {"x-should-retry": "false"}
    house.time[0] += 60
    assert await house.outcome(body) == "ok"
    assert house.spent("key:ci") == 3 * nano(1000, 1000)
    assert len({c.period_start for r in house.memory.records for c in r.charges}) == 2


async def test_a_share_is_told_once_even_by_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    house = build(tmp_path, config_yaml(key='budget: {amount: "0.01", per: day, notify: [0.3, 0.6]}'))
    house.wire.answer = lambda _: whole(chat_answer(1000, 1000))

    def broken(**_: object) -> None:
        raise OSError("no space left")

    house.gateway.guards[2].purse._notices._log = type("Log", (), {"warning": lambda *_, **__: broken()})()
    for _ in range(3):
        assert await house.outcome(chat(max_tokens=100)) == "ok"
    assert [(n["subject"], n["share"], n["spent"]) for n in house.sent] == [
        ("key:ci", "0.3", "0.003"),
        ("key:ci", "0.6", "0.006"),
    ]
    assert len(house.memory.records) == len(house.told) == 3


async def test_a_call_that_is_refused_later_takes_nothing(tmp_path: Path) -> None:
    key = 'limits: {rpm: 2, tpm: 10000}, budget: {amount: "0.01", per: day, mode: strict}'
    house = build(tmp_path, config_yaml(key=key))
    for _ in range(5):
        assert await house.outcome(chat(max_tokens=9_000)) == "insufficient_quota"
    assert await house.outcome(chat(max_tokens=100)) == "ok"
    assert await house.outcome(chat(max_tokens=100)) == "ok"
    assert await house.outcome(chat(max_tokens=100)) == "rate_limit_exceeded"
    assert house.reserved() == 0
    assert len(house.wire.bodies) == 2


async def test_nobody_is_asked_for_a_client_that_left_while_its_call_is_drained(tmp_path: Path) -> None:
    house = build(tmp_path, config_yaml(providers=TWO, models="m: [up/a, other/b]"))
    client = Listener()

    def answer(_: object) -> Exception:
        client.left = True
        return httpx2.ConnectError("refused")

    house.wire.answer = answer
    with pytest.raises(asyncio.CancelledError):
        await house.serve(chat(), client=client)
    assert [body["model"] for body in house.wire.bodies] == ["a"]
    assert house.memory.records[0].outcome == "client_cancelled"


async def test_a_stream_tells_its_cost_in_the_ledger(tmp_path: Path) -> None:
    house = build(tmp_path, config_yaml())
    usage = {"prompt_tokens": 24, "completion_tokens": 80, "total_tokens": 104}
    events = [event({"content": "Hi"}), event({}, "stop"), event(None, usage=usage), b"data: [DONE]\n\n"]
    house.wire.answer = lambda _: (200, "text/event-stream", events)
    client = await house.serve(chat(stream=True))
    assert "x-switchgear-cost" not in client.headers
    assert house.memory.records[0].cost_nano == nano(24, 80)
    assert json.loads(house.wire.bodies[0].get("n", "1")) == 1
