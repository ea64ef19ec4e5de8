"""A provider in a process of its own that answers every call the same way: after a delay, whole or as a stream.

It prints its port. Every answer takes as little of the processor as can be, so that what is measured is the gateway.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import cast

import uvloop

DELAY = 0.05
"""Seconds to the answer, or to a stream's first event."""
_USAGE = {"prompt_tokens": 12, "completion_tokens": 60, "total_tokens": 72}


def whole() -> bytes:
    message = {"role": "assistant", "content": "word " * 60}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = json.dumps({**_head("chat.completion"), "choices": [choice], "usage": _USAGE}).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


def pieces(events: int) -> list[bytes]:
    """Give a stream's parts: the head with the first event, the rest one by one, the end."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    told = [_event({"content": "word "}) for _ in range(events - 1)]
    last = _event({}, finish_reason="stop", usage=_USAGE) + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
    return [head + told[0], *told[1:], last]


def _head(kind: str) -> dict[str, object]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": "steady"}


def _event(delta: dict[str, str], finish_reason: str | None = None, **fields: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    chunk = {**_head("chat.completion.chunk"), "choices": [choice], **fields}
    return _chunk(b"data: " + json.dumps(chunk).encode() + b"\n\n")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Answers(asyncio.Protocol):
    """One connection of the gateway, which sends one request at a time."""

    def __init__(self, answer: bytes, stream: list[bytes], gap: float) -> None:
        self._answer, self._stream, self._gap = answer, stream, gap
        self._loop = asyncio.get_running_loop()
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, mark, body = self._received.partition(b"\r\n\r\n")
        if not mark:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        self._received = b""
        if b'"stream":true' in body.replace(b" ", b""):
            self._loop.call_later(DELAY, self._tell, 0)
        else:
            self._loop.call_later(DELAY, self._write, self._answer)

    def _tell(self, number: int) -> None:
        if self._gap == 0:
            self._write(b"".join(self._stream))
            return
        self._write(self._stream[number])
        if number + 1 < len(self._stream):
            self._loop.call_later(self._gap, self._tell, number + 1)

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)


async def serve(events: int, gap: float) -> None:
    answer, stream = whole(), pieces(events)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answers(answer, stream, gap), "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--events", type=int, default=60)
    options.add_argument("--gap", type=float, default=0.01, help="seconds between two events")
    given = options.parse_args()
    uvloop.run(serve(given.events, given.gap))
