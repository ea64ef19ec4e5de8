"""Comments in the silences of a stream, so that nothing between us and the client closes it."""

from __future__ import annotations

import asyncio
from types import TracebackType

from app.api.client import KEEPALIVE_INTERVAL, ClientConnection

SLOW_READER = 1.0
"""Seconds between looks while something is being sent: then there is no silence to break."""


class KeepAlive:
    """Keeps one streamed answer alive while it runs. A timer, which costs a call nothing until it rings."""

    def __init__(self, client: ClientConnection, commit_after: float) -> None:
        self._client = client
        self._commit_after = commit_after
        self._loop = asyncio.get_running_loop()
        self._comment: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self._begun = self._loop.time()
        self._set(self._begun + self._commit_after)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._comment is not None:
            self._comment.cancel()

    def _set(self, due: float) -> None:
        # Never later than one interval: the stream may begin, and fall silent, before the timer rings.
        self._timer = self._loop.call_at(min(due, self._loop.time() + KEEPALIVE_INTERVAL), self._ring)

    def _ring(self) -> None:
        due = self._client.comment_due(self._begun, self._commit_after)
        if due > self._loop.time():
            self._set(due)
            return
        self._comment = self._loop.create_task(self._client.comment(), name="keep-alive")
        self._set(self._loop.time() + SLOW_READER)
