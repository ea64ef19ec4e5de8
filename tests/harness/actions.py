"""What the fake upstream can be told to do: steps, and the answers that are made of them."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.harness.upstream import Action, Exchange, Gate, Step

GOLDEN = Path(__file__).parents[1] / "golden"
EVENT_STREAM = "text/event-stream; charset=utf-8"


def golden(name: str) -> bytes:
    """Give a recorded payload: `openai/chat_response.json`."""
    return (GOLDEN / name).read_bytes()


def events_of(name: str) -> list[bytes]:
    """Give the events of a recorded stream, each with its blank line."""
    return [event + b"\n\n" for event in golden(name).replace(b"\r\n", b"\n").split(b"\n\n") if event.strip()]


# Steps


def send(data: bytes) -> Step:
    """Write these bytes as they are."""

    async def step(exchange: Exchange) -> None:
        await exchange.write(data)

    return step


def head(status: int = 200, headers: Mapping[str, str] | None = None) -> Step:
    """Write a status line and headers."""
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))


def chunk(data: bytes) -> Step:
    """Write one chunk of a chunked body; an empty one ends it."""
    return send(b"%x\r\n%b\r\n" % (len(data), data))


def wait_for(gate: Gate) -> Step:
    """Go on when the test opens the gate."""

    async def step(exchange: Exchange) -> None:
        await exchange.until(gate.wait())

    return step


def stall(seconds: float) -> Step:
    """Be silent for a while."""

    async def step(exchange: Exchange) -> None:
        await exchange.until(asyncio.sleep(seconds))

    return step


async def hang(exchange: Exchange) -> None:
    """Never go on."""
    await exchange.until(asyncio.Event().wait())


async def small_buffers(exchange: Exchange) -> None:
    """Hold little on this side from here on, so that what is sent is what the peer has taken."""
    exchange.connection.small_buffers()


async def reset(exchange: Exchange) -> None:
    """Send RST."""
    exchange.connection.reset()


async def close(exchange: Exchange) -> None:
    """Send FIN."""
    exchange.connection.close()


def flood(block: bytes, total: int) -> Step:
    """Write at least `total` bytes in chunks as fast as the peer takes them."""

    async def step(exchange: Exchange) -> None:
        framed = b"%x\r\n%b\r\n" % (len(block), block)
        for _ in range(-(-total // len(block))):
            await exchange.write(framed)

    return step


# Whole answers


def reply(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None, kind: str = "application/json"
) -> Action:
    """Give a complete answer with its length."""
    fields = {"content-type": kind, "content-length": str(len(body)), **(headers or {})}
    return [head(status, fields), send(body)]


def json_reply(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Action:
    """Give a JSON answer."""
    return reply(json.dumps(body).encode(), status, headers)


def golden_reply(name: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Action:
    """Give a recorded answer."""
    return reply(golden(name), status, headers)


def error_reply(
    status: int, message: str = "no", code: str | None = None, headers: Mapping[str, str] | None = None
) -> Action:
    """Give an error in OpenAI's form."""
    error = {"message": message, "type": "some_error", "param": None, "code": code}
    return json_reply({"error": error}, status, headers)


def stream_of(events: Sequence[bytes], ending: Action | None = None) -> Action:
    """Stream these events, a chunk each. The ending is the last chunk unless said otherwise."""
    start = head(200, {"content-type": EVENT_STREAM, "transfer-encoding": "chunked"})
    return [start, *map(chunk, events), *(ending if ending is not None else [chunk(b"")])]


def golden_stream(name: str, ending: Action | None = None, first: int | None = None) -> Action:
    """Replay a recorded stream, or only its first events."""
    return stream_of(events_of(name)[:first], ending)


def paced_stream(name: str, seconds: float) -> Action:
    """Replay a recorded stream so that it takes so long."""
    start, *steps = golden_stream(name)
    pause = stall(seconds / len(steps))
    return [start, *(each for step in steps[:-1] for each in (step, pause)), steps[-1]]


def sliced_stream(name: str, size: int) -> Action:
    """Replay a recorded stream cut into pieces of `size` bytes, wherever that falls."""
    data = golden(name)
    return stream_of([data[at : at + size] for at in range(0, len(data), size)])


def html(status: int = 200) -> Action:
    """Answer like a proxy that has lost its server."""
    return reply(b"<html><body><h1>It works!</h1></body></html>", status, kind="text/html")


def empty(status: int = 200) -> Action:
    """Answer with no body at all."""
    return reply(b"", status)


def no_content() -> Action:
    """Answer 204, which has neither body nor length."""
    return [head(204)]


def cut_json() -> Action:
    """Answer with the first half of a JSON body, declared as if it were all."""
    body = golden("openai/chat_response.json")
    return reply(body[: len(body) // 2])


def short_of_length() -> Action:
    """Declare more bytes than are sent, then close."""
    body = golden("openai/chat_response.json")
    return [
        head(200, {"content-type": "application/json", "content-length": str(len(body))}),
        send(body[:-40]),
        close,
    ]


def redirect(status: int, location: str) -> Action:
    """Point elsewhere."""
    return reply(b"", status, {"location": location})


def large_body(size: int) -> Action:
    """Send a JSON string of `size` bytes with its true length."""
    body = b'{"object":"chat.completion","x":"' + b"a" * size + b'"}'
    return reply(body)


def endless_body() -> Action:
    """Send a JSON string that never ends."""
    start = head(200, {"content-type": "application/json", "transfer-encoding": "chunked"})
    return [start, chunk(b'{"x":"'), flood(b"a" * 65_536, 1 << 34)]


def endless_line() -> Action:
    """Start a stream whose second event is a line that never ends."""
    first = events_of("openai/chat_stream_text.sse")[0]
    start = head(200, {"content-type": EVENT_STREAM, "transfer-encoding": "chunked"})
    return [start, chunk(first), chunk(b"data: "), flood(b"a" * 65_536, 1 << 34)]


def gzip_reply(body: bytes) -> Action:
    """Compress the answer although nobody asked for it."""
    return reply(gzip.compress(body), headers={"content-encoding": "gzip"})


def and_close(action: Action) -> Action:
    """Answer, then close the keep-alive connection without having said so."""
    return [*action, close]
