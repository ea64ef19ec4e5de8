"""Bounded waits: each in its time, whatever the one before was given."""

from __future__ import annotations

import asyncio

import pytest

from app.gateway.waiting import Waiting
from providers.errors import UpstreamTimeout


async def never() -> None:
    await asyncio.Event().wait()


async def soon() -> str:
    await asyncio.sleep(0)
    return "here"


async def test_each_wait_has_its_own_time():
    now = asyncio.get_running_loop().time
    with Waiting() as waiting:
        for seconds in (60.0, 0.03, 60.0):
            assert await waiting.until(now() + seconds, soon(), "it") == "here"
        # Time between two waits belongs to neither.
        await asyncio.sleep(0.05)
        for seconds in (0.05, 0.01):
            began = now()
            with pytest.raises(UpstreamTimeout, match="did not send it in time"):
                await waiting.until(began + seconds, never(), "it")
            assert seconds <= now() - began < seconds + 1.0
        with pytest.raises(UpstreamTimeout):
            await waiting.until(now() - 1, never(), "it")
        assert await waiting.until(now() + 60, soon(), "it") == "here"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_cancellation_is_no_end_of_time():
    async def wait() -> None:
        with Waiting() as waiting:
            await waiting.until(asyncio.get_running_loop().time() + 60, never(), "it")

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
