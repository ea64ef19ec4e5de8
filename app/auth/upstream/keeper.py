"""Keeps what a maker has made for as long as it is good, and has it made anew in time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from app.auth.upstream.made import Made, Maker
from providers.errors import CredentialRejected

T = TypeVar("T")
PATIENCE = 30.0
"""Seconds that a call waits for one to be made. Instances' own services answer at once, others within seconds."""
AGAIN = 10.0
"""Seconds from a failure until it is tried again beside, while the last one is still good."""
YOUNG = 60.0
"""Seconds. What is younger has not ended: a provider that refuses it would refuse another one too."""
_REASON_LIMIT = 300
"""Characters of a library's message: more than enough to know it by."""


class Keeper:
    """One for each provider. Only one is made at a time, whoever asks for it."""

    def __init__(self, make: Maker, wall: Callable[[], float], failed: Callable[[str], None]) -> None:
        """`wall` in Unix seconds; `failed` is told why none could be made."""
        self._make = make
        self._wall = wall
        self._failed = failed
        self._made: Made | None = None
        self._made_at = self._failed_at = float("-inf")
        self._task: asyncio.Task[str] | None = None

    async def current(self) -> Made:
        """Give one that is good. Raises `CredentialRejected`."""
        now = self._wall()
        if self._made is None or now >= self._made.valid_until:
            return await self._awaited()
        if now >= self._made.fresh_until and now >= self._failed_at + AGAIN:
            self.begin()
        return self._made

    def begin(self) -> asyncio.Task[str]:
        """Have one made, unless that is under way. Call it where an event loop runs."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._make_one(), name="credential")
        return self._task

    def replaces(self, refused: Made) -> bool:
        """Let go of one that a provider has refused. Gives whether there may be a better one."""
        if self._made is refused:
            if self._wall() < self._made_at + YOUNG:
                return False
            self._made = None
        return True

    async def close(self) -> None:
        """Wait for nothing more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _awaited(self) -> Made:
        try:
            async with asyncio.timeout(PATIENCE):
                # Shielded: others wait for it too, and a thread that hangs must stay the only one.
                reason = await asyncio.shield(self.begin())
        except TimeoutError:
            reason = f"none was made within {PATIENCE:g} s"
            self._failed(reason)
        if self._made is None or self._wall() >= self._made.valid_until:
            raise CredentialRejected(f"the credential could not be made: {reason or 'it has ended already'}")
        return self._made

    async def _make_one(self) -> str:
        """Make one. Gives why it could not be made, or nothing."""
        try:
            self._made = await _in_thread(self._make)
        except Exception as error:  # noqa: BLE001 - libraries raise what they like, and calls must learn of it
            self._failed_at = self._wall()
            said = (str(error).strip().splitlines() or [""])[0]
            reason = f"{type(error).__name__}: {said}"[:_REASON_LIMIT]
            self._failed(reason)
            return reason
        self._made_at = self._wall()
        return ""


async def _in_thread(work: Callable[[], T]) -> T:
    """Run in a thread that nobody waits for at the end of the program."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: Exception | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)  # type: ignore[arg-type] # there is a result where there is no error
        else:
            future.set_exception(error)

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - raised where it is awaited
            failure = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name="credential", daemon=True).start()
    return await future
