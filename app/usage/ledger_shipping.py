"""Spool files → database: each record exactly once, and of each call that never ended one row that says so.

Exactly once comes from two things in one transaction: the rows, whose ids are unique, and the
offset in the file up to which they were read. Whatever breaks, the next try starts at the offset
that the database has.

Intents without a record go into the database too, in that same transaction, and out of it with their
record's row. So no file is kept for a call that is still running, and what is left when the last file
of a dead run has been shipped are the calls that it was interrupted in.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
from structlog.typing import FilteringBoundLogger

from app.store.calls import CallStore, Opened, RowRejected
from app.telemetry.record import Intent
from app.usage.frames import FRAME_LIMIT, Frame, decode_entry, is_torn
from app.usage.ledger_intents import interrupted, split
from app.usage.spool import Spool, claim_spool, others_of_run, read_from, run_of, spool_files, tell

REJECTED = "rejected.jsonl"
DAMAGED = ".damaged"


class Shipper:
    """Ships what the spool's folder holds. One `ship` at a time."""

    def __init__(self, store: CallStore, spool: Spool, log: FilteringBoundLogger, batch_rows: int) -> None:
        self.shipped = 0
        """Rows of records that are in the database."""
        self.interrupted = 0
        """Rows of calls that a run died in."""
        self.rejected = 0
        """Records that it never takes; they are in `rejected.jsonl`."""
        self.repeated = 0
        """Records whose id the database had already."""
        self._store = store
        self._spool = spool
        self._log = log
        self._batch_rows = batch_rows
        self._offsets: dict[str, int] = {}
        self._damaged: set[str] = set()

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

    def start_over(self) -> None:
        """Ask the database again how far it has come: a repaired one may be an older copy."""
        self._offsets.clear()

    async def _ship_file(self, path: Path) -> None:
        if path == self._spool.path:
            await self._drain(path)
            return
        claim = await asyncio.to_thread(claim_spool, path)
        if claim is None:
            return
        try:
            await self._drain(path)
            await self._let_go(path)
        finally:
            os.close(claim)

    async def _let_go(self, path: Path) -> None:
        """Remove a file that is shipped whole. The last of its run waits for the others, and ends the run."""
        # A run begins its next file before it leaves one, so one that has no other is over.
        others = await asyncio.to_thread(others_of_run, path)
        if others and others[-1] < path:
            return
        if not others:
            await self._end_run(path.name)
        await asyncio.to_thread(self._remove, path)
        await self._store.forget_spool(path.name)

    async def _drain(self, path: Path) -> None:
        name = path.name
        if name not in self._offsets:
            self._offsets[name] = await self._store.spool_offset(name)
        is_whole = True
        # What comes while a batch is written waits for the next one: by itself it would cost as much as a whole one.
        while is_whole and (frames := await asyncio.to_thread(self._read, path)):
            is_whole = len(frames) == self._batch_rows
            begin = self._offsets[name]
            await self._ship_frames(name, frames)
            self._note_damage(name, begin, frames)

    def _read(self, path: Path) -> list[Frame]:
        return list(itertools.islice(read_from(path, self._offsets[path.name]), self._batch_rows))

    async def _ship_frames(self, name: str, frames: Sequence[Frame]) -> None:
        try:
            records, intents = split([decode_entry(frame.payload) for frame in frames])
            opened = Opened(run_of(name), intents)
            new = await self._store.insert_calls(records, name, frames[-1].end, opened)
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
        await self._put_aside(name, frames[0].begin, frames[0].payload, reason)
        await self._store.insert_calls([], name, frames[0].end)
        self._offsets[name] = frames[0].end

    async def _end_run(self, name: str) -> None:
        """Write a row for each call that the run has begun and not ended."""
        run = run_of(name)
        before = self.interrupted
        while intents := await self._store.open_intents(run, self._batch_rows):
            await self._interrupt(name, intents)
        if self.interrupted > before:
            tell(self._log.warning, "calls_interrupted", calls=self.interrupted - before, run=run)

    async def _interrupt(self, name: str, intents: Sequence[Intent]) -> None:
        try:
            ended = [interrupted(intent) for intent in intents]
            self.interrupted += await self._store.insert_calls(ended, name, self._offsets[name])
        except RowRejected as error:
            if len(intents) > 1:
                for intent in intents:
                    await self._interrupt(name, [intent])
                return
            payload = msgspec.json.encode(intents[0])
            await self._put_aside(name, self._offsets[name], payload, str(error))
            await self._store.forget_intent(intents[0].id)

    async def _put_aside(self, name: str, offset: int, payload: bytes, reason: str) -> None:
        entry = payload.decode(errors="replace")
        line = {"spool": name, "offset": offset, "reason": reason, "record": entry}
        await asyncio.to_thread(_append, self._spool.folder / REJECTED, msgspec.json.encode(line) + b"\n")
        self.rejected += 1
        tell(self._log.error, "ledger_record_rejected", spool=name, offset=offset, reason=reason)

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


def _append(path: Path, line: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line)
        os.fdatasync(file)
    finally:
        os.close(file)
