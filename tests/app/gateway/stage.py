"""Targets that answer when the test says so."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2

from tests.app.gateway.building import House, Said, event

PATIENCE = 5.0

DONE = b"data: [DONE]\n\n"


class Faucet(httpx2.AsyncByteStream):
    """The body of a stream: what the test puts in, when it puts it in."""

    def __init__(self) -> None:
        self._pieces: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self.closed = False
        self.taken = 0
        """Bytes that the gateway has read."""

    def say(self, *words: str) -> None:
        for word in words:
            self._pieces.put_nowait(event({"content": word}))

    def role(self) -> None:
        self._pieces.put_nowait(event({"role": "assistant", "content": ""}))

    def stop(self, output: int = 5, prompt: int = 10) -> None:
        usage = {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}
        self._pieces.put_nowait(event({}, "stop") + event(None, usage=usage) + DONE)
        self._pieces.put_nowait(None)

    def put(self, piece: bytes | Exception) -> None:
        self._pieces.put_nowait(piece)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            self.taken += len(piece)
            yield piece

    async def aclose(self) -> None:
        self.closed = True


class Stage:
    """What a gateway's targets are asked, each request answered by the test."""

    def __init__(self, house: House) -> None:
        self._asked: dict[str, list[asyncio.Future[Said]]] = defaultdict(list)
        self._time = house.time
        self.takes: dict[str, float] = {}
        """Seconds by which the clock moves on when a model is asked."""
        house.wire.answer = self._ask

    def _ask(self, body: dict[str, Any]) -> asyncio.Future[Said]:
        future: asyncio.Future[Said] = asyncio.get_running_loop().create_future()
        self._asked[body["model"]].append(future)
        self._time[1] += self.takes.get(body["model"], 0.0)
        return future

    def asked(self, model: str) -> int:
        """How often a model was asked."""
        return len(self._asked[model])

    async def request(self, model: str, number: int = 1) -> asyncio.Future[Said]:
        """Wait until a model is asked that often, and give what answers."""
        await until(lambda: self.asked(model) >= number)
        return self._asked[model][number - 1]

    async def stream(self, model: str, number: int = 1) -> Faucet:
        """Wait until a model is asked, and begin to answer with a stream."""
        request, faucet = await self.request(model, number), Faucet()
        request.set_result((200, "text/event-stream", faucet))
        return faucet


async def until(ready: Callable[[], bool]) -> None:
    """Let the loop go on until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not ready():
            await asyncio.sleep(0.001)


async def turns(count: int = 20) -> None:
    """Let everything happen that can happen without time."""
    for _ in range(count):
        await asyncio.sleep(0)


def assert_nothing_is_left(house: House) -> None:
    """No task, slot or reservation has outlived its call, and each call has its one record."""
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert house.reserved() == 0
    for key, meter in house.meters._meters.items():
        assert not key.startswith("concurrency") or meter.used(house.time[1]) == 0, key
    assert house.metrics.registry.get_sample_value("switchgear_in_flight", {"operation": "chat"}) in (0, None)
    for record in house.memory.records:
        known = [attempt.cost_nano for attempt in record.tries]
        assert record.cost_nano == sum(cost or 0 for cost in known)
        charged = sum(house.spent(f"provider:{name}") for name in ("up", "other", "third"))
        assert charged in (0, sum(each.cost_nano or 0 for each in house.memory.records))
    assert [record.id for record in house.told] == [record.id for record in house.memory.records]
