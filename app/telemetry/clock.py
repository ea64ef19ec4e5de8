"""The two clocks, as one argument, so that tests own time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Wall time for dates and expiry, monotonic time for durations. Both in seconds."""

    wall: Callable[[], float]
    monotonic: Callable[[], float]
