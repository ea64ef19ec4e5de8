"""Many calls at one moment: every connection stands before the first byte is sent."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.harness.gateway import KEY


@dataclass(frozen=True)
class Answered:
    """The answer to one of the calls."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Crowd:
    """Calls that are all sent at once."""

    def __init__(self, port: int, count: int, document: Any, key: str = KEY) -> None:
        body = json.dumps(document).encode()
        self._request = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        ).encode() + body
        self._port = port
        self._count = count
        self.answers: list[Answered] = []

    async def connect(self) -> None:
        """Open all the connections."""
        self._open = [
            await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20) for _ in range(self._count)
        ]

    def send(self) -> None:
        """Send all the calls."""
        for _, writer in self._open:
            writer.write(self._request)
        self._reading = [
            asyncio.get_running_loop().create_task(self._read(reader, writer))
            for reader, writer in self._open
        ]

    async def answered(self, count: int, within: float = 20.0) -> None:
        """Wait until so many have their answer."""
        async with asyncio.timeout(within):
            while len(self.answers) < count:
                await asyncio.sleep(0.01)

    async def all(self) -> list[Answered]:
        """Wait for all the answers."""
        await asyncio.gather(*self._reading)
        return self.answers

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.answers.append(await self._answer(reader))
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader) -> Answered:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, *lines = head.split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
        return Answered(int(status.split()[1]), headers, await reader.read())


async def crowd(port: int, count: int, document: Any, key: str = KEY) -> list[Answered]:
    """Make so many calls at once, and give their answers."""
    calls = Crowd(port, count, document, key)
    await calls.connect()
    calls.send()
    return await calls.all()
