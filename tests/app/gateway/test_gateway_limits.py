"""When a client that is refused may come again, on a clock of the test's own; and the forms in which it is told."""

from __future__ import annotations

import random
from pathlib import Path

import httpx2
import pytest

from app.errors import LimitReached
from app.gateway.client_limits import go_duration
from tests.app.gateway.building import (
    House,
    build,
    chat,
    chat_answer,
    config_yaml,
    provider_yaml,
    whole,
)


async def refusal(house: House, **fields: int) -> LimitReached:
    with pytest.raises(LimitReached) as refused:
        await house.serve(chat(**fields))
    return refused.value


@pytest.mark.parametrize("limit", ["rpm: 10", "tpm: 4000", "otpm: 3000"])
async def test_a_client_that_waits_as_told_is_let_in_and_never_needs_less(tmp_path: Path, limit: str) -> None:
    """Within the precision of a window: 50 ms of a minute."""
    chance = random.Random(limit)
    house = build(tmp_path, config_yaml(key=f"limits: {{{limit}}}"))
    house.wire.answer = lambda body: whole(chat_answer(body["max_tokens"], 10))
    for _ in range(40):
        while await house.outcome(chat(max_tokens=300)) == "ok":
            house.time[1] += chance.uniform(0, 3)
        error = await refusal(house, max_tokens=300)
        told = int(dict(error.headers)["retry-after-ms"]) / 1000
        assert error.retry_after is not None
        assert 0 <= told - error.retry_after <= 0.001
        began = house.time[1]
        house.time[1] = began + max(0.0, told - 0.052)
        assert await house.outcome(chat(max_tokens=300)) == "rate_limit_exceeded"
        house.time[1] = began + told
        assert await house.outcome(chat(max_tokens=300)) == "ok"


async def test_long_waits_say_not_to_retry(tmp_path: Path) -> None:
    house = build(tmp_path, config_yaml(key="limits: {rpd: 1}"))
    await house.serve(chat())
    headers = dict((await refusal(house)).headers)
    assert int(headers["retry-after"]) > 86_000
    assert headers["x-should-retry"] == "false"


async def test_a_refused_call_takes_nothing_of_any_limit(tmp_path: Path) -> None:
    """Of three limits one is full: the others are as they were, and so is the target's."""
    limits = "limits: {rpm: 100, tpm: 100000, concurrency: 1}"
    providers = provider_yaml("up", "limits: {rpm: 1}") + provider_yaml("other", "limits: {otpm: 50}")
    house = build(tmp_path, config_yaml(key=limits, providers=providers, models="m: [up/a, other/b]"))
    client = await house.serve(chat(max_tokens=20))
    before = client.headers["x-ratelimit-remaining-requests"]
    for _ in range(5):
        error = await refusal(house, max_tokens=60)
        assert "provider:up: rpm 1" in error.message, (
            "waiting for it helps; the other can never take the call"
        )
    client = await house.serve(chat(max_tokens=20))
    assert client.headers["x-switchgear-provider"] == "other"
    assert int(client.headers["x-ratelimit-remaining-requests"]) == int(before) - 1


async def test_what_a_failed_call_gives_back(tmp_path: Path) -> None:
    house = build(tmp_path, config_yaml(key="limits: {rpm: 100, otpm: 1000}"))
    house.wire.answer = lambda _: httpx2.ConnectError("refused")
    for _ in range(5):
        assert await house.outcome(chat(max_tokens=900)) == "upstream_unreachable"
    house.wire.answer = lambda _: whole(chat_answer(5))
    client = await house.serve(chat(max_tokens=900))
    assert client.headers["x-ratelimit-remaining-requests"] == "94"
    assert client.headers["x-ratelimit-remaining-tokens"] == "488", "it is thought to use 512"
    client = await house.serve(chat(max_tokens=10))
    assert client.headers["x-ratelimit-remaining-tokens"] == "985", "what was really used is counted, not 512"


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0ms"),
        (0.0501, "50ms"),
        (1, "1s"),
        (12.345, "12.35s"),
        (59.999, "1m0s"),
        (360, "6m0s"),
        (3723, "1h2m3s"),
        (86_400, "24h0m0s"),
    ],
)
def test_durations_are_written_as_openai_does(seconds: float, written: str) -> None:
    assert go_duration(seconds) == written
