"""Rows of calls and of the audit log are kept for so long; what calls add up to stays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

from structlog.typing import FilteringBoundLogger

from app.store.database import StoreUnavailable
from app.usage.spool import tell

ROWS_AT_ONCE = 500
"""Few enough for the ledger not to wait for."""
PAUSE = 0.2
"""Seconds between two deletions."""
EVERY = 3600.0
"""Seconds between two looks for old rows."""

Sleep = Callable[[float], Awaitable[None]]


class Rows(Protocol):
    """Rows that grow old."""

    async def delete(self, before: float, limit: int) -> int:
        """Delete up to so many from before (Unix seconds); give how many. Raises `StoreUnavailable`."""
        ...


class Kept(NamedTuple):
    """Rows, and how long they are kept: seconds, asked each time; None keeps them all."""

    rows: Rows
    age: Callable[[], float | None]


async def let_go_of_old_rows(
    kinds: Sequence[Kept],
    wall: Callable[[], float],
    log: FilteringBoundLogger,
    *,
    sleep: Sleep = asyncio.sleep,
) -> None:
    """Delete the rows of each kind that are too old, now and every hour, until it is cancelled."""
    while True:
        for rows, age in kinds:
            kept = age()
            try:
                while kept and await rows.delete(wall() - kept, ROWS_AT_ONCE) == ROWS_AT_ONCE:
                    await sleep(PAUSE)
            except StoreUnavailable as error:
                tell(log.warning, "old_rows_kept", reason=str(error))
        await sleep(EVERY)
