"""Bounded waits, one after another, at the cost of one timer for all of them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from typing import Any, Self, TypeVar

from providers.errors import UpstreamTimeout

T = TypeVar("T")


class Waiting:
    """Waits for a provider. A context manager; its timer is set anew only when it rings, or is to ring sooner.

    A stream has a wait for every piece, and nearly all end long before their time.
    """

    __slots__ = ("_by", "_late", "_loop", "_rings_at", "_task", "_timer")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._by = self._rings_at = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[Any] | None = None
        self._late = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    async def until(self, when: float, awaited: Awaitable[T], what: str) -> T:
        """Await until `when` (loop time). Raises `UpstreamTimeout`, which says `what` did not come."""
        task = self._task = asyncio.current_task()
        assert task is not None
        cancelling = task.cancelling()
        self._by, self._late = when, False
        if when < self._rings_at:
            self._set(when)
        try:
            return await awaited
        except asyncio.CancelledError:
            # Another's cancellation that came at the same time goes on, as with `asyncio.timeout`.
            if self._late and task.uncancel() <= cancelling:
                raise UpstreamTimeout(f"the provider did not send {what} in time") from None
            raise
        finally:
            self._by = math.inf

    def _set(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = when
        self._timer = self._loop.call_at(when, self._ring)

    def _ring(self) -> None:
        self._timer, self._rings_at = None, math.inf
        if self._by > self._loop.time():
            if self._by < math.inf:
                self._set(self._by)
            return
        assert self._task is not None
        self._late = True
        self._task.cancel()
