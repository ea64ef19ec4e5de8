"""The ledger's far end: the tasks that ship what the spool holds, and bring the spool to the disk."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

from structlog.typing import FilteringBoundLogger

from app.store.calls import CallStore
from app.store.database import StoreUnavailable
from app.usage.ledger_shipping import DAMAGED, REJECTED, Shipper
from app.usage.spool import Spool, tell

__all__ = ["DAMAGED", "REJECTED", "LedgerWriter"]

BATCH_ROWS = 100
"""Few enough to hold the event loop for a moment only; a commit for each hundred costs next to nothing."""
LINGER = 0.2
"""Seconds from a first record to its batch, for others to join it."""
TICK = 1.0
"""Seconds between two syncs of the spool, and two looks for files that others have left."""
FIRST_BACKOFF = 0.1
LAST_BACKOFF = 5.0
"""Seconds between two tries while the database takes nothing."""

Sleep = Callable[[float], Awaitable[None]]


class LedgerWriter:
    """Ships this run's spool, and those that dead runs have left, while it is started."""

    def __init__(
        self,
        store: CallStore,
        spool: Spool,
        log: FilteringBoundLogger,
        *,
        sleep: Sleep = asyncio.sleep,
        batch_rows: int = BATCH_ROWS,
    ) -> None:
        self.store_is_down = False
        self._shipper = Shipper(store, spool, log, batch_rows)
        self._spool = spool
        self._log = log
        self._sleep = sleep
        self._awake = asyncio.Event()
        self._shipping = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._sync_fails = False

    @property
    def shipped(self) -> int:
        """Rows of records that are in the database."""
        return self._shipper.shipped

    @property
    def interrupted(self) -> int:
        """Rows of calls that a run died in."""
        return self._shipper.interrupted

    @property
    def rejected(self) -> int:
        """Records that the database never takes; they are in `rejected.jsonl`."""
        return self._shipper.rejected

    @property
    def repeated(self) -> int:
        """Records whose id the database had already."""
        return self._shipper.repeated

    def start(self) -> None:
        """Begin to ship, with what dead runs have left."""
        self._awake.set()
        self._tasks = [asyncio.create_task(self._ship_always()), asyncio.create_task(self._tick_always())]

    def wake(self) -> None:
        """Say that there is something to ship. Call it on the event loop's thread."""
        self._awake.set()

    async def close(self, within: float) -> None:
        """End the spool's run and ship what is left, within so many seconds. The rest waits for the next start."""
        self._spool.close()
        try:
            async with asyncio.timeout(within):
                await asyncio.to_thread(self._spool.sync)
                async with self._shipping:
                    await self._stop_tasks()
                    await self.ship()
        except (TimeoutError, StoreUnavailable, OSError) as error:
            tell(self._log.warning, "ledger_closed_behind", reason=str(error) or "out of time")
        finally:
            await self._stop_tasks()

    async def ship(self) -> None:
        """Ship all that can be read now. Raises `StoreUnavailable`, `OSError`."""
        await self._shipper.ship()

    async def catch_up(self, within: float) -> bool:
        """Ship what dead runs have left, within so many seconds, and say whether it is done.

        Budgets are read after it: what is still in the spool is not in their spending.
        """
        try:
            async with asyncio.timeout(within), self._shipping:
                await self.ship()
        except (TimeoutError, StoreUnavailable, OSError) as error:
            tell(self._log.warning, "ledger_behind", reason=str(error) or "out of time")
            return False
        return True

    async def _ship_always(self) -> None:
        backoff = FIRST_BACKOFF
        while True:
            await self._awake.wait()
            await self._sleep(LINGER)
            self._awake.clear()
            try:
                async with self._shipping:
                    await self.ship()
            except Exception as error:  # noqa: BLE001 - whatever broke, nothing is lost by trying again
                self._shipper.start_over()
                self._turn(down=True, reason=str(error) or repr(error))
                self._awake.set()
                # Each instance at a time of its own: a server that comes back is not run over.
                await self._sleep(backoff * random.uniform(0.5, 1))  # noqa: S311 - no secret
                backoff = min(backoff * 2, LAST_BACKOFF)
            else:
                self._turn(down=False, reason=None)
                backoff = FIRST_BACKOFF

    async def _tick_always(self) -> None:
        while True:
            await self._sleep(TICK)
            self._spool.retry()
            try:
                await asyncio.to_thread(self._spool.sync)
            except OSError as error:
                if not self._sync_fails:
                    tell(self._log.error, "spool_sync_failed", reason=error.strerror)
                self._sync_fails = True
            else:
                self._sync_fails = False
            self._awake.set()

    def _turn(self, *, down: bool, reason: str | None) -> None:
        if down == self.store_is_down:
            return
        self.store_is_down = down
        if down:
            tell(self._log.error, "ledger_store_down", reason=reason)
        else:
            tell(self._log.info, "ledger_store_up", shipped=self.shipped)

    async def _stop_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []
