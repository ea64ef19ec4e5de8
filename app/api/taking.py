"""How a change in the database holds on this machine at once, in each of its workers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from app.store.database import StoreUnavailable
from app.workers.fellows import Fellows


class Stored(Protocol):
    """What a worker knows of the database."""

    async def refresh(self) -> None:
        """Read what has changed. Raises `StoreUnavailable`."""
        ...


def taking(
    what: str, stored: Stored, fellows: Fellows, log: FilteringBoundLogger
) -> Callable[[], Awaitable[None]]:
    """Give what is to be called after a change; on other machines, and where it fails, that holds within a second."""

    async def refresh() -> None:
        try:
            await stored.refresh()
        except StoreUnavailable as error:
            log.warning("stored_stale", what=what, reason=str(error))

    async def answer(_: str) -> bytes:
        await refresh()
        return b"taken"

    async def take() -> None:
        await refresh()
        await fellows.ask(what)

    fellows.answer(what, answer)
    return take
