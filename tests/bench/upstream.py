"""A provider in a process of its own, scripted: the model that is asked for says how it answers.

It speaks OpenAI's form and, under `/v1/messages`, Anthropic's. Every answer is made beforehand, so that what is
measured is whoever stands before it. It prints its port.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from typing import cast

import uvloop

EVENTS = 66
PACE = 0.05
"""Seconds between the events of `endless`."""
KEPT = 16 << 10
"""Bytes of a request that are looked at; the rest is only counted."""
USAGE = {"prompt_tokens": 160, "completion_tokens": 64, "total_tokens": 224}
JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
CHUNKED = 1 << 60


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def whole(document: object) -> bytes:
    body = json.dumps(document).encode()
    return JSON_HEAD % len(body) + body


def openai_whole(size: int) -> bytes:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "word " * (size // 5)},
        "finish_reason": "stop",
    }
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "scripted"}
    return whole({**head, "choices": [choice], "usage": USAGE})


def openai_event(content: str | None) -> bytes:
    delta = {} if content is None else {"content": content}
    choice = {"index": 0, "delta": delta, "finish_reason": "stop" if content is None else None}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "scripted"}
    usage = {"usage": USAGE} if content is None else {}
    return chunk(b"data: " + json.dumps({**head, "choices": [choice], **usage}).encode() + b"\n\n")


def openai_stream() -> list[bytes]:
    """Give 66 events: 64 of content, one that ends it, and `[DONE]`."""
    told = [openai_event("word ") for _ in range(EVENTS - 2)]
    return [*told, openai_event(None), chunk(b"data: [DONE]\n\n")]


def anthropic_whole() -> bytes:
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "scripted"}
    content = [{"type": "text", "text": "word " * 120}]
    usage = {"input_tokens": 160, "output_tokens": 64}
    return whole(
        {**head, "content": content, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
    )


def anthropic_stream() -> list[bytes]:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "scripted", "content": []}
    begin = {**message, "stop_reason": None, "usage": {"input_tokens": 160, "output_tokens": 1}}
    delta = {"index": 0, "delta": {"type": "text_delta", "text": "word "}}
    told: list[tuple[str, dict[str, object]]] = [
        ("message_start", {"message": begin}),
        ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
        *[("content_block_delta", cast("dict[str, object]", delta))] * (EVENTS - 5),
        ("content_block_stop", {"index": 0}),
        ("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 64}}),
        ("message_stop", {}),
    ]
    return [
        chunk(f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode())
        for kind, fields in told
    ]


WHOLE = {b'"whole"': openai_whole(600), b'"large"': openai_whole(150_000), b'"claude"': anthropic_whole()}
STREAMS = {b'"piece"': openai_stream(), b'"claude"': anthropic_stream()}
IN_ONE_PIECE = {name: STREAM_HEAD + b"".join(pieces) + END for name, pieces in STREAMS.items()}
SPREAD = (number * 0.618 % 1 for number in itertools.count())
ONE_BY_ONE = [STREAM_HEAD, *openai_stream(), END]


class Answers(asyncio.Protocol):
    """One connection, with one request at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._asked, self._left = b"", -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if len(self._asked) < KEPT:
            self._asked += data
        if self._left < 0:
            head, mark, body = self._asked.partition(b"\r\n\r\n")
            if not mark:
                return
            length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
            # Without a length the body comes in chunks.
            self._left = int(length) - len(body) if length else CHUNKED
        else:
            self._left -= len(data)
        if self._left <= 0 or (self._left > CHUNKED // 2 and data.endswith(END)):
            asked, self._asked, self._left = self._asked, b"", -1
            self._answer(asked)

    def _answer(self, asked: bytes) -> None:
        streamed = b'"stream":true' in asked or b'"stream": true' in asked
        if not streamed:
            self._write(next((answer for name, answer in WHOLE.items() if name in asked), WHOLE[b'"whole"']))
        elif b'"events"' in asked:
            self._tell(0)
        elif b'"endless"' in asked:
            self._write(STREAM_HEAD)
            # Streams that began together are told at different times, as those of different clients are.
            self._loop.call_later(PACE * next(SPREAD), self._pace)
        else:
            name = b'"claude"' if b'"claude"' in asked else b'"piece"'
            self._write(IN_ONE_PIECE[name])

    def _tell(self, number: int) -> None:
        """Write each event in a turn of the loop of its own, so that each is a segment of its own."""
        self._write(ONE_BY_ONE[number])
        if number + 1 < len(ONE_BY_ONE):
            self._loop.call_soon(self._tell, number + 1)

    def _pace(self) -> None:
        if self._transport.is_closing():
            return
        # All processes of a machine share this clock, so who reads the event knows how old it is.
        self._write(openai_event(f"@{time.monotonic_ns()}@"))
        self._loop.call_later(PACE, self._pace)

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
