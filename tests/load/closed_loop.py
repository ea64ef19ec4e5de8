"""Sends calls as fast as they are answered, one at a time on each of some connections. It prints one JSON object.

The calls are a JSON file: `port`, `path`, `headers`, and `keys`, `models` and `body`, of which each call takes the
next key and model in turn; `KEY` and `MODEL` stand for them. Its own time counts in what it measures: it is for few
connections, and for machines without wrk.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, cast

import uvloop


def requests_of(calls: dict[str, Any]) -> list[bytes]:
    """Give each request whole, as often as there are keys or models."""
    keys, models = calls["keys"], calls["models"]
    made = []
    for number in range(max(len(keys), len(models))):
        body = calls["body"].replace("MODEL", models[number % len(models)]).encode()
        lines = [f"{name}: {value}" for name, value in calls["headers"].items()]
        lines += [f"host: 127.0.0.1:{calls['port']}", f"content-length: {len(body)}"]
        head = "\r\n".join([f"POST {calls['path']} HTTP/1.1", *lines])
        made.append(head.replace("KEY", keys[number % len(keys)]).encode() + b"\r\n\r\n" + body)
    return made


@dataclass
class Seen:
    """What became of the calls. Milliseconds."""

    whole: list[float] = field(default_factory=list)
    """To the end of the answer."""
    first: list[float] = field(default_factory=list)
    """To the first byte of its body."""
    ages: list[float] = field(default_factory=list)
    """Of events that say when they were written."""
    refused: int = 0
    broken: int = 0

    def clear(self) -> None:
        for times in (self.whole, self.first, self.ages):
            times.clear()
        self.refused = self.broken = 0


class Connection(asyncio.Protocol):
    """Sends a call, reads its answer, sends the next."""

    def __init__(self, requests: Sequence[bytes], turns: count[int], seen: Seen) -> None:
        self._requests, self._turns, self._seen = requests, turns, seen
        self._under_way = False
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        self._received, self._left, self._first, self._tail = b"", -1, 0.0, b""
        self._under_way = True
        self._sent = time.perf_counter()
        self._transport.write(self._requests[next(self._turns) % len(self._requests)])

    def data_received(self, data: bytes) -> None:
        if self._left < 0:
            self._received += data
            head, mark, data = self._received.partition(b"\r\n\r\n")
            if not mark:
                return
            self._head = head.lower()
            length = self._head.partition(b"content-length: ")[2].split(b"\r\n", 1)[0]
            self._left = int(length) if length else 1 << 60
        if data and not self._first:
            self._first = time.perf_counter()
        if b"@" in data:
            now = time.monotonic_ns()
            self._seen.ages += [(now - int(word)) / 1e6 for word in data.split(b"@")[1::2] if word.isdigit()]
        self._left -= len(data)
        self._tail = (self._tail + data)[-5:]
        if self._left <= 0 or (self._left > 1 << 50 and self._tail == b"0\r\n\r\n"):
            self._end()

    def _end(self) -> None:
        now = time.perf_counter()
        self._under_way = False
        if self._head[9:12] == b"200":
            self._seen.whole.append((now - self._sent) * 1000)
            self._seen.first.append((self._first - self._sent) * 1000)
        else:
            self._seen.refused += 1
        if b"\r\nconnection: close" in self._head:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._seen.broken += self._under_way
        self.ended.set_result(None)


async def run(calls: dict[str, Any], connections: int, seconds: float, warm_up: float) -> Seen:
    """Load until the seconds are over. What is under way then, or ended before them, counts for nothing."""
    seen, turns, requests = Seen(), count(), requests_of(calls)
    loop = asyncio.get_running_loop()

    async def keep_one() -> None:
        while True:
            _, connection = await loop.create_connection(
                lambda: Connection(requests, turns, seen), "127.0.0.1", calls["port"]
            )
            await connection.ended

    tasks = [loop.create_task(keep_one()) for _ in range(connections)]
    await asyncio.sleep(warm_up)
    seen.clear()
    await asyncio.sleep(seconds)
    said = Seen(list(seen.whole), list(seen.first), list(seen.ages), seen.refused, seen.broken)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return said


def quantile(times: Sequence[float], share: float) -> float:
    return sorted(times)[math.ceil(len(times) * share) - 1] if times else 0.0


def told(seen: Seen, seconds: float) -> dict[str, float]:
    times = {"whole": seen.whole, "first": seen.first, "age": seen.ages}
    quantiles = {
        f"{name}_p{share}": quantile(found, share / 100)
        for name, found in times.items()
        for share in (50, 99)
    }
    return {
        "calls": len(seen.whole) + seen.refused,
        "refused": seen.refused,
        "broken": seen.broken,
        "seconds": seconds,
        "events": len(seen.ages),
        **quantiles,
    }


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("calls", type=Path)
    options.add_argument("--connections", type=int, default=1)
    options.add_argument("--seconds", type=float, default=2.0)
    options.add_argument("--warm-up", type=float, default=0.0)
    given = options.parse_args()
    seen = uvloop.run(
        run(json.loads(given.calls.read_text()), given.connections, given.seconds, given.warm_up)
    )
    print(json.dumps(told(seen, given.seconds)))
