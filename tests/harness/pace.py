"""Calls at a steady rate, whatever becomes of those before: what many clients together are like."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from tests.harness.gateway import KEY

PATIENCE = 30.0


@dataclass(frozen=True)
class Made:
    """One call that was made. Times by the event loop's clock, which is `time.monotonic`."""

    due: float
    """When it was to be sent."""
    ended: float
    status: int
    """0 for a connection that broke."""
    provider: str

    @property
    def milliseconds(self) -> float:
        """From when it was due: a client that could not send in time has waited too."""
        return (self.ended - self.due) * 1000


async def pace(
    port: int, rate: float, seconds: float, document: Any, name: str, key: str = KEY
) -> list[Made]:
    """Make calls at a rate for a time; request ids are `name-0`, `name-1` and so on."""
    body = json.dumps(document).encode()
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    made: list[Made] = []
    loop = asyncio.get_running_loop()

    async def one(number: int, due: float) -> None:
        reader, writer = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port)
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
            f"x-request-id: {name}-{number}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        status, provider = 0, ""
        try:
            writer.write(head.encode() + body)
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            fields = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
            await reader.readexactly(int(fields["content-length"]))
            status, provider = int(first.split()[1]), fields.get("x-switchgear-provider", "")
        except (OSError, EOFError):
            writer.close()
        else:
            if fields.get("connection") == "close":
                writer.close()
            else:
                idle.append((reader, writer))
        made.append(Made(due, loop.time(), status, provider))

    began, tasks = loop.time(), []
    for number in range(int(rate * seconds)):
        due = began + number / rate
        await asyncio.sleep(max(0, due - loop.time()))
        tasks.append(loop.create_task(one(number, due)))
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*tasks)
    for _, writer in idle:
        writer.close()
        await writer.wait_closed()
    return made
