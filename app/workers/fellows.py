"""How the workers of one machine ask each other: a Unix socket each, in a folder that is their user's alone.

A question is a line of JSON, its name and one detail; the answer is all that follows until the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from structlog.typing import FilteringBoundLogger

WITHIN = 2.0
"""Seconds that a worker has to answer: those who ask are people, scripts and Prometheus."""
LONGEST_QUESTION = 64 << 10
"""Bytes."""
Answering = Callable[[str], Awaitable[bytes]]
"""Answers a question, given its detail."""


class Fellows:
    """The other workers of this machine, as one of them sees them."""

    def __init__(self, folder: str, number: int, log: FilteringBoundLogger, *, several: bool = False) -> None:
        """`folder` is empty where there is none; then there are no others. `number`: which one this is."""
        self.several = several
        """Whether several are to serve at once, not only one after another."""
        self._folder = Path(folder) if folder else None
        self.number = number
        self._log = log
        self._answering: dict[str, Answering] = {}
        self._server: asyncio.Server | None = None

    def answer(self, question: str, answering: Answering) -> None:
        """Say how this worker answers a question."""
        self._answering[question] = answering

    async def open(self) -> None:
        """Begin to answer."""
        if self._folder is not None:
            self._server = await asyncio.start_unix_server(
                self._hear, self._folder / str(self.number), limit=LONGEST_QUESTION
            )

    async def close(self) -> None:
        """Answer no more."""
        if self._server is not None and self._folder is not None:
            self._server.close()
            (self._folder / str(self.number)).unlink(missing_ok=True)

    async def ask(self, question: str, detail: str = "") -> Sequence[bytes]:
        """Ask all others, and give what those have answered who did in time."""
        answers = await asyncio.gather(*(self._ask(each, question, detail) for each in self._others()))
        return [answer for answer in answers if answer is not None]

    def _others(self) -> list[Path]:
        if self._folder is None:
            return []
        with contextlib.suppress(OSError):
            numbered = sorted(self._folder.iterdir(), key=lambda each: int(each.name))
            return [each for each in numbered if each.name != str(self.number)]
        return []

    async def _ask(self, other: Path, question: str, detail: str) -> bytes | None:
        try:
            async with asyncio.timeout(WITHIN):
                reader, writer = await asyncio.open_unix_connection(other)
                try:
                    writer.write(json.dumps([question, detail]).encode() + b"\n")
                    return await reader.read(-1) or None
                finally:
                    writer.close()
        except (ConnectionRefusedError, FileNotFoundError):
            return None  # it was killed, or has just ended
        except (OSError, TimeoutError):
            self._log.warning("worker_silent", worker=other.name, question=question)
            return None

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            question, detail = json.loads(await reader.readline())
            answering = self._answering.get(question)
            # One of another version may ask what this one does not know.
            if answering is not None:
                writer.write(await answering(detail))
                await writer.drain()
        except (OSError, ValueError):
            return  # whoever asked has gone, or is none of us
        except Exception:  # noqa: BLE001 - whatever it is, it is told of here, and whoever asked gets no answer
            self._log.exception("worker_answer_failed")
        finally:
            writer.close()
