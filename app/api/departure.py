"""What becomes of a call whose client closes its connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Protocol

from app.api.asgi import Message, Receive, Scope
from app.api.client import ClientConnection
from app.api.leaving import LEAVING, Leaving


class Policy(Protocol):
    """How long a call goes on without its client."""

    async def linger(self) -> None:
        """Return when the call is to end."""
        ...


class Cancel:
    """Calls end at once."""

    async def linger(self) -> None:
        """Return at once."""


class Drain:
    """Calls are read to their end, so that the provider tells what they used: so many at once, and so long."""

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._running = 0

    async def linger(self) -> None:
        """Return after the time, or at once where too many linger already."""
        if self._running >= self._most:
            return
        self._running += 1
        try:
            await asyncio.sleep(self._seconds)
        finally:
            self._running -= 1


class Departure:
    """Ends what runs inside it when the client closes its connection and the policy gives it no more time.

    The body must have been read: then all that `receive` can still give is the disconnect.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        client: ClientConnection,
        policy: Policy,
        begun: Callable[[], bool],
    ) -> None:
        """`begun` says whether a provider has been asked: before it, there is nothing to go on with."""
        self._leaving: Leaving | None = scope.get(LEAVING)
        self._receive = receive
        self._client = client
        self._policy = policy
        self._begun = begun
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        owner = asyncio.current_task()
        assert owner is not None
        self._owner = owner
        if self._leaving is None:
            # Another server than the front door tells only who asks.
            self._start(self._watch())
        else:
            self._leaving.hear(self._hear)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if self._leaving is not None:
            self._leaving.hear_no_more()
        if self._task is not None:
            self._task.cancel()
        if self._client.left and isinstance(error, asyncio.CancelledError):
            # Ours, and done with: there is nobody left to tell.
            self._owner.uncancel()
            return True
        return False

    def _hear(self) -> None:
        self._start(self._end())

    def _start(self, work: Coroutine[None, None, None]) -> None:
        self._task = asyncio.get_running_loop().create_task(work, name="client-departure")

    async def _watch(self) -> None:
        message: Message = {}
        while message.get("type") != "http.disconnect":
            message = await self._receive()
        await self._end()

    async def _end(self) -> None:
        if self._client.ended:
            # Servers also say so when the response is complete.
            return
        self._client.left = True
        if self._begun():
            await self._policy.linger()
        self._owner.cancel()
