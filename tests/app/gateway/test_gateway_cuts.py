"""A stream that is cut anywhere is charged for what was delivered: within 2 % and a token, a thousand times.

The gateway runs in this process, so that what was delivered is known to the byte: on a socket, the kernel
holds some of it. The same is shown over sockets, at fewer points, in `tests/e2e/test_money.py`.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.app.gateway.building import House, Listener, build, chat, config_yaml, event, provider_yaml

CUTS = 1_000
PROMPT = "Tell me all there is to know."


def words(chance: random.Random, count: int) -> list[str]:
    """Make up words of which each is one token, of four bytes on average with its space."""
    return ["".join(chance.choices("etaoinsh", k=chance.choice([2, 3, 3, 4]))) + " " for _ in range(count)]


def anthropic_events(said: list[str]) -> list[bytes]:
    def one(kind: str, **fields: Any) -> bytes:
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.dumps({"type": kind, **fields}).encode())

    usage = {"input_tokens": 21, "output_tokens": 1}
    message = {"id": "1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage}
    return [
        one("message_start", message=message),
        one("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        *(one("content_block_delta", index=0, delta={"type": "text_delta", "text": word}) for word in said),
    ]


def openai_events(said: list[str]) -> list[bytes]:
    return [event({"role": "assistant", "content": ""}), *(event({"content": word}) for word in said)]


def counting_events(said: list[str]) -> list[bytes]:
    """Like those of servers that count all along."""
    return [
        event({"content": word}, usage={"prompt_tokens": 21, "completion_tokens": n, "total_tokens": 21 + n})
        for n, word in enumerate(said, 1)
    ]


PROVIDERS: dict[str, tuple[str, Callable[[list[str]], list[bytes]]]] = {
    "passed through": (provider_yaml("up"), openai_events),
    "read": (provider_yaml("up").replace("exact: true", "exact: false"), openai_events),
    "counting all along": (provider_yaml("up"), counting_events),
    "anthropic": (provider_yaml("up", "dialect: anthropic").replace("exact: true, ", ""), anthropic_events),
}


async def cut_once(house: House, events: list[bytes], chance: random.Random, how: str) -> Listener:
    """Let a client leave, or the provider break, at some point of a stream that comes in pieces of any size."""
    data = b"".join(events)
    cuts = sorted(chance.sample(range(1, len(data)), chance.randint(1, 120)))
    pieces: list[Any] = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    where = chance.randint(0, len(pieces))
    ending: list[Any] = [httpx2.ReadError("cut")] if how == "breaks" else [None] * 10_000
    house.wire.answer = lambda _: (200, "text/event-stream", [*pieces[:where], *ending])
    client = Listener()
    call = asyncio.create_task(house.outcome(chat(PROMPT, stream=True), client=client))
    if how == "leaves":
        for _ in range(chance.randint(1, 3 * len(pieces))):
            await asyncio.sleep(0)
        client.left = True
        call.cancel()
    await asyncio.wait([call])
    return client


@pytest.mark.parametrize(
    "kind", [next(iter(PROVIDERS)), *(pytest.param(k, marks=pytest.mark.slow) for k in list(PROVIDERS)[1:])]
)
async def test_a_cut_stream_is_charged_for_what_was_delivered(tmp_path: Path, kind: str) -> None:
    providers, events_of = PROVIDERS[kind]
    house = build(tmp_path, config_yaml(providers=providers))
    chance = random.Random(kind)
    some = 0
    for number in range(CUTS // len(PROVIDERS)):
        said = words(chance, 150)
        client = await cut_once(house, events_of(said), chance, "leaves" if number % 2 else "breaks")
        record = house.told[-1]
        delivered = len(client.text.split()) if kind == "counting all along" else len(client.text) / 4
        charged = record.output_tokens or 0
        assert abs(charged - delivered) <= 0.02 * delivered + 1, (number, charged, delivered)
        if client.text:
            some += 1
            assert record.usage_source == "estimated"
            assert record.outcome == ("client_cancelled" if number % 2 else "truncated")
            assert record.input_tokens
            assert record.cost_nano == 1_000 * record.input_tokens + 2_000 * charged
    assert some > CUTS // len(PROVIDERS) // 2, "too few streams were cut within their text"
