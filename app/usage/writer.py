"""The ledger's far end: spool files → database, each record exactly once.

Exactly once comes from two things in one transaction: the rows, whose ids are unique, and the
offset in the file up to which they were read. Whatever breaks, the next try starts at the offset
that the database has.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
from structlog.typing import FilteringBoundLogger

from app.store.calls import CallStore, RowRejected
from app.store.database import StoreUnavailable
from app.telemetry.record import CallRecord
from app.usage.frames import FRAME_LIMIT, Frame, is_torn
from app.usage.spool import Spool, claim_spool, read_from, spool_files, tell

BATCH_ROWS = 100
"""Few enough to hold the event loop for a moment only; a commit for each hundred costs next to nothing."""
LINGER = 0.2
"""Seconds from a first record to its batch, for others to join it."""
TICK = 1.0
"""Seconds between two syncs of the spool, and two looks for files that others have left."""
FIRST_BACKOFF = 0.1
LAST_BACKOFF = 5.0
"""Seconds between two tries while the database takes nothing."""
REJECTED = "rejected.jsonl"
DAMAGED = ".damaged"

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
        self.shipped = 0
        """Rows that are in the database."""
        self.rejected = 0
        """Records that it never takes; they are in `rejected.jsonl`."""
        self.repeated = 0
        """Records whose id the database had already."""
        self.store_is_down = False
        self._store = store
        self._spool = spool
        self._log = log
        self._sleep = sleep
        self._batch_rows = batch_rows
        self._awake = asyncio.Event()
        self._shipping = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._offsets: dict[str, int] = {}
        self._damaged: set[str] = set()
        self._sync_fails = False

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
        problem: OSError | None = None
        for path in await asyncio.to_thread(spool_files, self._spool.folder):
            try:
                await self._ship_file(path)
            except OSError as error:
                problem = error  # one bad file does not hold the others up
        if problem:
            raise problem

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
                self._offsets.clear()  # a repaired database may have an older one
                self._turn(down=True, reason=str(error) or repr(error))
                self._awake.set()
                await self._sleep(backoff)
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

    async def _ship_file(self, path: Path) -> None:
        if path == self._spool.path:
            await self._drain(path)
            return
        claim = await asyncio.to_thread(claim_spool, path)
        if claim is None:
            return
        try:
            await self._drain(path)
            await asyncio.to_thread(self._remove, path)
            await self._store.forget_spool(path.name)
        finally:
            os.close(claim)

    async def _drain(self, path: Path) -> None:
        name = path.name
        if name not in self._offsets:
            self._offsets[name] = await self._store.spool_offset(name)
        while frames := await asyncio.to_thread(self._read, path):
            begin = self._offsets[name]
            await self._ship_frames(name, frames)
            self._note_damage(name, begin, frames)

    def _read(self, path: Path) -> list[Frame]:
        return list(itertools.islice(read_from(path, self._offsets[path.name]), self._batch_rows))

    async def _ship_frames(self, name: str, frames: Sequence[Frame]) -> None:
        try:
            records = [msgspec.json.decode(frame.payload, type=CallRecord) for frame in frames]
            new = await self._store.insert_calls(records, name, frames[-1].end)
        except (RowRejected, msgspec.MsgspecError, UnicodeDecodeError) as error:
            await self._ship_around(name, frames, str(error))
            return
        self._offsets[name] = frames[-1].end
        self.shipped += new
        if new < len(records):
            self.repeated += len(records) - new
            tell(self._log.warning, "ledger_ids_repeated", records=len(records) - new, spool=name)

    async def _ship_around(self, name: str, frames: Sequence[Frame], reason: str) -> None:
        if len(frames) > 1:
            middle = len(frames) // 2
            await self._ship_frames(name, frames[:middle])
            await self._ship_frames(name, frames[middle:])
            return
        await asyncio.to_thread(self._put_aside, name, frames[0], reason)
        await self._store.insert_calls([], name, frames[0].end)
        self._offsets[name] = frames[0].end
        self.rejected += 1
        tell(self._log.error, "ledger_record_rejected", spool=name, offset=frames[0].begin, reason=reason)

    def _put_aside(self, name: str, frame: Frame, reason: str) -> None:
        record = frame.payload.decode(errors="replace")
        line = {"spool": name, "offset": frame.begin, "reason": reason, "record": record}
        file = os.open(self._spool.folder / REJECTED, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, msgspec.json.encode(line) + b"\n")
            os.fdatasync(file)
        finally:
            os.close(file)

    def _note_damage(self, name: str, begin: int, frames: Sequence[Frame]) -> None:
        ends = (begin, *(frame.end for frame in frames))
        skipped = sum(frame.begin - end for frame, end in zip(frames, ends, strict=False))
        if skipped:
            self._damaged.add(name)
            tell(self._log.error, "spool_damaged", spool=name, skipped_bytes=skipped)

    def _remove(self, path: Path) -> None:
        """Remove a file that is shipped whole; set one aside that has bytes nobody could read."""
        with path.open("rb") as file:
            file.seek(self._offsets.pop(path.name))
            tail = file.read(FRAME_LIMIT)
        if tail:
            tell(self._log.warning, "spool_tail_unread", spool=path.name)
        # A torn record was never acknowledged: its process died before it could be.
        if path.name in self._damaged or not is_torn(tail):
            path.rename(path.with_name(path.name + DAMAGED))
            self._damaged.discard(path.name)
        else:
            path.unlink()

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
