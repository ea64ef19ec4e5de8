"""Rows of calls are kept for so many days; what they add up to stays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from structlog.typing import FilteringBoundLogger

from app.store.database import StoreUnavailable
from app.store.retention import OldRows
from app.usage.spool import tell

ROWS_AT_ONCE = 500
"""Few enough for the ledger not to wait for."""
PAUSE = 0.2
"""Seconds between two deletions."""
EVERY = 3600.0
"""Seconds between two looks for old rows."""
DAY = 86_400

Sleep = Callable[[float], Awaitable[None]]


async def let_go_of_old_rows(
    rows: OldRows,
    days: Callable[[], float | None],
    wall: Callable[[], float],
    log: FilteringBoundLogger,
    *,
    sleep: Sleep = asyncio.sleep,
) -> None:
    """Delete the calls that are older than so many days, now and every hour, until it is cancelled.

    `days` is asked each time; None keeps them all.
    """
    while True:
        kept = days()
        try:
            while kept and await rows.delete(wall() - kept * DAY, ROWS_AT_ONCE) == ROWS_AT_ONCE:
                await sleep(PAUSE)
        except StoreUnavailable as error:
            tell(log.warning, "old_rows_kept", reason=str(error))
        await sleep(EVERY)
