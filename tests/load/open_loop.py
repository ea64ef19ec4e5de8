"""Sends calls at a steady rate, whatever becomes of those before: a client that waits would hide an overload.

A call's time runs from the moment at which it was due, so that a generator that falls behind shows. It prints
one JSON object. Everything is bounded: the rate, the seconds, the connections.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from dataclasses import asdict, dataclass, field
from typing import cast

import uvloop

MOST_CONNECTIONS = 6_000
GRACE = 5.0
"""Seconds that the last answers may take."""


@dataclass
class Seen:
    """What became of the calls that were due after the warm-up. Milliseconds."""

    accepted: list[float] = field(default_factory=list)
    """To the first byte of the answer, of those that came to their end."""
    refused: list[float] = field(default_factory=list)
    ended_each_second: list[int] = field(default_factory=list)
    """Accepted ones, by the second in which they ended; warm-up included."""
    sent: int = 0
    failed: int = 0
    unsent: int = 0
    """There was no connection left for them."""
    unanswered: int = 0
    without_retry_after: int = 0
    late: float = 0.0
    """How late the generator itself was at worst."""


class Sender(asyncio.Protocol):
    """One connection; one call at a time."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._request: bytes | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._request is not None:
            self._transport.write(self._request)

    def begin(self, request: bytes, due: float) -> None:
        self._request, self._due, self._first = request, due, 0.0
        self._received, self._left, self._tail = b"", -1, b""
        if self._transport is not None:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._request is None:
            return
        if self._first == 0.0:
            self._first = self._load.now()
        if self._left < 0:
            self._received += data
            head, mark, data = self._received.partition(b"\r\n\r\n")
            if not mark:
                return
            self._head = head
            length = head.partition(b"content-length: ")[2].split(b"\r\n", 1)[0]
            self._left = int(length) if length else 1 << 60
        self._left -= len(data)
        self._tail = (self._tail + data)[-5:]
        if self._left <= 0 or (self._left > 1 << 50 and self._tail == b"0\r\n\r\n"):
            self._request = None
            self._load.ended(self, self._head, self._due, self._first)
            if b"connection: close" in self._head:
                self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost(self, under_way=self._request is not None)
        self._request = None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Load:
    """All the connections, and what was seen on them."""

    def __init__(self, port: int, key: str, model: str, *, stream: bool) -> None:
        content = "What is the capital of France? " * 8
        body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": content}]}
        encoded = json.dumps(body).encode()
        self._request = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(encoded)}\r\n\r\n"
        ).encode() + encoded
        self._port = port
        self._idle: list[Sender] = []
        self._open: set[Sender] = set()
        self._pending: set[asyncio.Task[None]] = set()
        self._counts_from = 0.0
        self._under_way = 0
        self.seen = Seen()
        self.now = asyncio.get_running_loop().time

    async def run(self, rate: float, seconds: float, warm_up: float) -> Seen:
        self._began = began = self.now()
        self._counts_from = began + warm_up
        self.seen.ended_each_second = [0] * (int(seconds + warm_up + GRACE) + 1)
        total = int(rate * (seconds + warm_up))
        done = 0
        while done < total:
            due = min(total, int((self.now() - began) * rate) + 1)
            for number in range(done, due):
                self._send(began + number / rate)
            done = due
            await asyncio.sleep(0.001)
        await self._settle()
        return self.seen

    def _send(self, due: float) -> None:
        counts = due >= self._counts_from
        self.seen.sent += counts
        if counts:
            self.seen.late = max(self.seen.late, (self.now() - due) * 1000)
        if not self._idle and len(self._open) >= MOST_CONNECTIONS:
            self.seen.unsent += counts
            return
        self._under_way += 1
        if self._idle:
            self._idle.pop().begin(self._request, due)
            return
        sender = Sender(self)
        sender.begin(self._request, due)
        self._open.add(sender)
        task = asyncio.get_running_loop().create_task(self._connect(sender))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _connect(self, sender: Sender) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: sender, "127.0.0.1", self._port)
        except OSError:
            self.lost(sender, under_way=True)

    def ended(self, sender: Sender, head: bytes, due: float, first: float) -> None:
        self._under_way -= 1
        if b"connection: close" not in head:
            self._idle.append(sender)
        status, milliseconds = int(head[9:12]), (first - due) * 1000
        if status == 200:
            self.seen.ended_each_second[int(self.now() - self._began)] += 1
        if due < self._counts_from:
            return
        if status == 200:
            self.seen.accepted.append(milliseconds)
        elif status == 503:
            self.seen.refused.append(milliseconds)
            self.seen.without_retry_after += b"retry-after:" not in head
        else:
            self.seen.failed += 1

    def lost(self, sender: Sender, *, under_way: bool) -> None:
        self._open.discard(sender)
        if sender in self._idle:
            self._idle.remove(sender)
        if under_way:
            self._under_way -= 1
            self.seen.failed += 1

    async def _settle(self) -> None:
        until = self.now() + GRACE - 1
        while self._under_way and self.now() < until:
            await asyncio.sleep(0.01)
        self.seen.unanswered = self._under_way
        for sender in list(self._open):
            sender.close()


async def main(given: argparse.Namespace) -> None:
    load = Load(given.port, given.key, given.model, stream=given.stream)
    print(json.dumps(asdict(await load.run(given.rate, given.seconds, given.warm_up))))


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--rate", type=float, required=True)
    options.add_argument("--seconds", type=float, default=5.0)
    options.add_argument("--warm-up", type=float, default=1.0)
    options.add_argument("--key", required=True)
    options.add_argument("--model", required=True)
    options.add_argument("--stream", action="store_true")
    uvloop.run(main(options.parse_args()))
