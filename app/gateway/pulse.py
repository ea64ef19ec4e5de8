"""The signs of overload, as they are read: the event loop's pulse, tick by tick, and the memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from app.gateway.entrance import Entrance
from app.limits.throttle import Beat
from app.telemetry.memory import memory_limit, memory_share
from app.telemetry.metrics import Metrics
from app.telemetry.refusals import Refusals

LOOK = 1.0
"""Seconds between looks at the memory."""
BUSY = 0.01
"""Seconds between ticks while calls are under way: less than a turn that is worth knowing of."""
IDLE = 0.05


class Pulse:
    """Ticks until it is stopped. Call it where an event loop runs."""

    def __init__(
        self,
        tell: Callable[[Beat], None],
        is_busy: Callable[[], bool],
        now: Callable[[], float],
        worked: Callable[[], float] = time.thread_time,
    ) -> None:
        """`now` gives monotonic seconds, `worked` those that this thread had of the processor."""
        self._tell = tell
        self._is_busy = is_busy
        self._now, self._worked = now, worked
        self._loop = asyncio.get_running_loop()
        self._last = now(), worked()
        self._set(IDLE)

    def stop(self) -> None:
        """Tick no more."""
        self._timer.cancel()

    def _set(self, planned: float) -> None:
        self._planned = planned
        self._timer = self._loop.call_later(planned, self._tick)

    def _tick(self) -> None:
        (since, worked_by_then), self._last = self._last, (self._now(), self._worked())
        now, worked = self._last
        self._tell(Beat(now - since, self._planned, worked - worked_by_then, now))
        self._set(BUSY if self._is_busy() else IDLE)


def watch_loop(entrance: Entrance, metrics: Metrics, now: Callable[[], float]) -> Pulse:
    """Tell the entrance and the metrics of each tick."""

    def tell(beat: Beat) -> None:
        metrics.loop_lag.observe(beat.late)
        entrance.tick(beat)

    return Pulse(tell, lambda: entrance.is_busy, now)


async def watch_memory(entrance: Entrance, configured: int | None, refusals: Refusals) -> None:
    """Look at the memory until cancelled, against what is configured or the container's limit."""
    limit = configured or memory_limit()
    while True:
        entrance.note_memory(memory_share(limit))
        refusals.sum_up()
        await asyncio.sleep(LOOK)
