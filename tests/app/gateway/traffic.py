"""Traffic of agents, replayed on a clock of the test's own: calls arrive at random, and take seconds."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.app.gateway.building import House, Said, chat, chat_answer, whole

Shape = Callable[[random.Random], tuple[int, int]]
"""Gives the tokens of a prompt and of its answer."""


@dataclass
class Replayed:
    """What became of the calls."""

    passed: list[tuple[float, int]] = field(default_factory=list)
    """When each was admitted, in seconds, and the tokens that it really used."""
    needless: int = 0
    """Refused although what the others really use left room for it."""
    refused: int = 0
    """Refused rightly."""

    @property
    def total(self) -> int:
        return len(self.passed) + self.needless + self.refused

    def windows(self) -> list[int]:
        """Sum the tokens of each 60 seconds that end with an admission, the first minute left out."""
        sums, inside, used = [], deque[tuple[float, int]](), 0
        for at, tokens in self.passed:
            inside.append((at, tokens))
            used += tokens
            while inside[0][0] <= at - 60:
                used -= inside.popleft()[1]
            if at >= 60:
                sums.append(used)
        return sums


async def replay(
    house: House,
    chance: random.Random,
    shape: Shape,
    *,
    seconds: float,
    per_minute: int,
    cap: int,
    limit: int,
    speed: int = 60,
) -> Replayed:
    """Make calls that ask for `cap` tokens and get `speed` a second.

    `limit` is of tokens a minute, to tell needless refusals.
    """
    seen = Replayed()
    ends: list[tuple[float, int]] = []
    running: dict[int, tuple[asyncio.Future[Said], Said, asyncio.Task[str]]] = {}
    answers: dict[str, asyncio.Future[Said]] = {}
    house.wire.answer = lambda body: answers[body["messages"][0]["content"].partition(" ")[0]]

    async def end_until(now: float) -> None:
        while ends and ends[0][0] <= now:
            at, number = heapq.heappop(ends)
            house.time[1] = 1000 + at
            future, said, task = running.pop(number)
            future.set_result(said)
            assert await task == "ok"

    now, number = 0.0, 0
    window: deque[tuple[float, int]] = deque()
    while now < seconds:
        now += chance.expovariate(per_minute / 60)
        await end_until(now)
        house.time[1] = 1000 + now
        number += 1
        prompt, output = shape(chance)
        # Four bytes a token, with those of the role and the names.
        text = f"{number} ".ljust(prompt * 4 - 15, "x")
        answers[str(number)] = future = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(house.outcome(chat(text, max_tokens=cap)))
        for _ in range(8):
            await asyncio.sleep(0)
        while window and window[0][0] <= now - 60:
            window.popleft()
        if not task.done():
            seen.passed.append((now, prompt + output))
            window.append((now, prompt + output))
            running[number] = (future, whole(chat_answer(output, prompt)), task)
            heapq.heappush(ends, (now + output / speed, number))
        elif sum(tokens for _, tokens in window) + prompt + output <= limit:
            seen.needless += 1
        else:
            seen.refused += 1
    await end_until(float("inf"))
    return seen


def agent(chance: random.Random) -> tuple[int, int]:
    """An agent's call: some 400 tokens in and 800 out, the largest many times that."""
    return chance.randint(200, 600), min(64_000, int(chance.lognormvariate(6.55, 0.5)))


def bounded(chance: random.Random) -> tuple[int, int]:
    """A call of up to 1,000 tokens out."""
    return chance.randint(200, 300), chance.randint(300, 1_000)
