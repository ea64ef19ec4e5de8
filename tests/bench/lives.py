"""What takes a gateway's whole life to measure: its start, and its memory."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from typing import Any

from tests.bench.contenders import CONTENDERS, Place, Running, within
from tests.bench.loads import Figures, Load, apply
from tests.bench.rounds import Pace, Result, Say

LARGE = Load("large", prompt=150_000)
REST = 5.0
"""Seconds that a gateway gets to come to rest after a load."""


def measured(what: str, bound: str, value: float, unit: str) -> dict[str, Any]:
    return {"what": what, "bound": bound, "measured": value, "unit": unit}


def starts(place: Place, pace: Pace, say: Say) -> Result:
    """Start the gateway some times, the first of them without a database: until readiness, and what that took."""
    wall, used, resident = [], [], []
    for _ in range(pace.starts):
        begun = time.monotonic()
        with CONTENDERS["gateway"](within(place, "start")) as gateway:
            wall.append(time.monotonic() - begun)
            used.append(gateway.server.cpu())
            resident.append(gateway.server.resident())
        say(f"  ready after {wall[-1]:.2f} s, {used[-1]:.2f} s of CPU")
    result = Result("Start")
    result.aims = [
        measured("ready, wall clock", "≤ 2 s", statistics.median(wall), "s"),
        measured("ready, processor time of all its processes", "-", statistics.median(used), "s"),
        measured("memory, just ready", "≤ 130 MiB", statistics.median(resident), "MiB"),
    ]
    return result


def memory(place: Place, pace: Pace, say: Say) -> Result:
    """Watch the memory of one gateway over many calls. What is no one's fault at first use is used first."""
    with CONTENDERS["gateway"](within(place, "memory")) as gateway:
        idle = _at_rest(gateway)
        _send(replace(LARGE, prompt=900, model="whole"), gateway, pace.calls // 10, place)
        warm = _at_rest(gateway)
        peak, large = _send(LARGE, gateway, pace.large_calls, place)
        after = _at_rest(gateway)
        _, first = _send(Load(), gateway, pace.calls // 10, place)
        early = _at_rest(gateway)
        _, rest = _send(Load(), gateway, pace.calls, place)
        late = _at_rest(gateway)
    say(
        f"  idle {idle:.0f}, large {peak:.0f}, after {after:.0f}, {first:,.0f} calls on {early:.0f}, {rest:,.0f} more {late:.0f}"
    )
    result = Result("Memory of the process that serves")
    result.aims = [
        measured("idle", "≤ 130 MiB", idle, "MiB"),
        measured(f"after {large:,.0f} calls with 150 KB each way, 32 at once: ÷ before", "≤ 1.3", after / warm, "x"),
        measured("at most, while they ran", "-", peak, "MiB"),
        measured(f"growth over {rest:,.0f} more calls", "≤ 5 %", (late / early - 1) * 100, "%"),
    ]  # fmt: skip
    return result


def _send(load: Load, gateway: Running, calls: int, place: Place) -> tuple[float, float]:
    """Send at least so many calls. Gives the most MiB held between two stretches, and the calls."""
    sent, peak = 0.0, 0.0
    while sent < calls:
        figures: Figures = apply(load, gateway, 1 if calls < 10_000 else 5, place.folder)
        if figures["errors"] or not figures["calls"]:
            raise RuntimeError(f"calls failed: {figures}")
        sent += figures["calls"]
        peak = max(peak, gateway.server.resident())
    return peak, sent


def _at_rest(gateway: Running) -> float:
    time.sleep(REST)
    return gateway.server.resident()


LIVES = {"start": starts, "memory": memory}
