"""The way to Redis: nobody gets another's answer, and nobody waits for a server that hangs."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.state.link import PATIENCE, Link, StateLost
from app.state.opening import connections_to
from app.state.script import Script
from providers.types import Secret
from tests.harness.valkey import Valkey, start_valkey

ECHO = Script("return ARGV[1]")
SLOW_ECHO = Script("local x = 0 for i = 1, tonumber(ARGV[2]) do x = x + i end return ARGV[1]")
WRITE = Script("return redis.call('SET', KEYS[1], ARGV[1])")
SCRIPTS = (ECHO, SLOW_ECHO, WRITE)


@pytest.fixture
async def link(valkey: Valkey) -> AsyncIterator[Link]:
    link = Link(connections_to(Secret(valkey.url)), patience=5.0)
    await link.open(SCRIPTS)
    yield link
    await link.close()


async def test_case_111_a_thousand_cancels_and_never_anothers_answer(link: Link) -> None:
    chance, heard, unheard = random.Random(111), [], []

    async def ask(nonce: str) -> None:
        reply = await link.ask(
            SLOW_ECHO, [], [nonce, chance.randrange(2_000)], lambda late: unheard.append((nonce, late))
        )
        heard.append((nonce, reply))

    calls: list[asyncio.Task[None]] = []
    cancels = 0
    while cancels < 1_000:
        calls.append(asyncio.create_task(ask(f"nonce-{len(calls)}")))
        if chance.random() < 0.6:
            cancels += chance.choice(calls[-8:]).cancel()
        if chance.random() < 0.2:
            await asyncio.sleep(chance.random() / 1_000)
    await asyncio.wait(calls)
    for _ in range(20):
        nonce = f"last-{random.random()}"
        assert await link.ask(ECHO, [], [nonce]) == nonce.encode()
    cancelled = sum(call.cancelled() for call in calls)
    assert cancelled > 500
    assert len(heard) == len(calls) - cancelled
    assert unheard, "some were cancelled while their answer was on its way"
    assert all(reply == nonce.encode() for nonce, reply in (*heard, *unheard))
    assert not link.broken


async def test_an_answer_that_nobody_waits_for_is_told(link: Link) -> None:
    late: list[bytes] = []
    call = asyncio.create_task(link.ask(SLOW_ECHO, [], ["x", 5_000_000], late.append))
    await asyncio.sleep(0.002)
    call.cancel()
    await link.ask(ECHO, [], ["y"])
    async with asyncio.timeout(5):
        while not late:
            await asyncio.sleep(0.001)
    assert late == [b"x"]


async def test_a_server_that_hangs_holds_nobody_up_for_long(tmp_path: Path) -> None:
    with start_valkey(tmp_path / "valkey") as server:
        link, broken = Link(connections_to(Secret(server.url))), []
        link.on_break = broken.append
        await link.open(SCRIPTS)
        await link.ask(ECHO, [], ["x"])
        server.freeze()
        began = time.monotonic()
        answers = await asyncio.gather(
            *(link.ask(ECHO, [], ["x"]) for _ in range(500)), return_exceptions=True
        )
        took = time.monotonic() - began
        assert {type(answer) for answer in answers} == {StateLost}
        # One wait for all: one after another they would take 25 s. How exact it is, F17 measures on a machine of its own.
        assert PATIENCE * 0.9 <= took < 500 * PATIENCE / 10
        began = time.monotonic()
        with pytest.raises(StateLost, match="in time"):
            await link.ask(ECHO, [], ["x"])
        assert time.monotonic() - began < PATIENCE
        assert broken == ["no answer in time"]
        await link.close()


async def test_a_process_that_was_held_up_blames_nobody(valkey: Valkey) -> None:
    link = Link(connections_to(Secret(valkey.url)))
    await link.open(SCRIPTS)
    call = asyncio.create_task(link.ask(ECHO, [], ["x"]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    time.sleep(2 * PATIENCE)  # noqa: ASYNC251 - the event loop is to hang
    assert await call == b"x"
    await link.close()


async def test_errors_are_told_by_their_kind_without_an_address(tmp_path: Path) -> None:
    with start_valkey(tmp_path / "valkey", password="valkey-canary-9d12") as server:
        right = Link(connections_to(Secret(server.url)))
        await right.open(SCRIPTS)
        server.run("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(StateLost, match="^(OOM|OutOfMemoryError)$"):
            await right.ask(WRITE, ["k"], ["x"])
        await right.close()
        wrong = Link(connections_to(Secret(server.url.replace("canary", "wrong"))))
        with pytest.raises(StateLost) as caught:
            await wrong.open(SCRIPTS)
        assert "wrong" not in str(caught.value)
        assert str(server.port) not in str(caught.value)
    with pytest.raises(StateLost):
        await wrong.open(SCRIPTS)
