"""The spool: where a call's intent is before a provider is asked, and its record before its client has read the end.

One file a run of a process, and a further one after each `SEGMENT_LIMIT`. What was written outlives
`kill -9` in the page cache; `sync`, once a second, bounds what a power cut takes. A lock held on
the file says that its run still writes to it: it ends with the process, however that ends.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from app.usage.frames import FRAME_LIMIT, Entry, Frame, encode_frame, scan_frames

SUFFIX = ".spool"
SEGMENT_LIMIT = 64 << 20
"""Bytes after which a file is left to be shipped and removed, and a new one begun."""
PENDING_LIMIT = 64 << 20
"""Bytes of records kept in memory while the disk takes none."""

_BLOCK = 4 * FRAME_LIMIT
_RETRIES = 100
_NEW_FILES = 3


class Spool:
    """Appends records to the file of this run. Plain calls from one thread; `sync` from another."""

    def __init__(
        self,
        folder: Path,
        name: str,
        log: FilteringBoundLogger,
        *,
        segment_limit: int = SEGMENT_LIMIT,
        pending_limit: int = PENDING_LIMIT,
    ) -> None:
        """Begin the file of a run; `name` (time, process, chance) is never used twice. Raises `OSError`."""
        self.folder = folder
        self.lost = 0
        """Records dropped because the disk took none and memory was full."""
        self._name = name
        self._log = log
        self._segment_limit = segment_limit
        self._pending_limit = pending_limit
        self._pending: deque[bytes] = deque()
        self._pending_bytes = 0
        self._writable = True
        self._full = False
        self._retired: deque[int] = deque()
        self._segments = 0
        self._synced = (-1, 0)
        self._syncing = threading.Lock()
        self._size = 0
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path: Path | None
        self.path, self._file = self._begin()
        _sync_folder(folder)

    @property
    def pending(self) -> int:
        """Records that wait in memory for the disk to take them."""
        return len(self._pending)

    def append(self, entry: Entry) -> None:
        """Write an entry, or keep it in memory while the disk takes none. Never raises, never waits for the disk."""
        frame = encode_frame(entry)
        if self.path is None or self._pending_bytes + len(frame) > self._pending_limit:
            self._lose()
            return
        self._pending.append(frame)
        self._pending_bytes += len(frame)
        self.retry()

    def retry(self) -> None:
        """Write some of the records that wait. Never raises."""
        for _ in range(min(_RETRIES, len(self._pending))):
            try:
                self._write(self._pending[0])
            except OSError as error:
                self._turn(writable=False, reason=error.strerror)
                return
            self._pending_bytes -= len(self._pending.popleft())
        if not self._writable and not self._pending:
            self._turn(writable=True, reason=None)

    def sync(self) -> None:
        """Bring what was written to the disk itself, and let go of files that are done. Raises `OSError`."""
        with self._syncing:
            while self._retired:
                file = self._retired.popleft()
                try:
                    os.fdatasync(file)
                finally:
                    os.close(file)
                _sync_folder(self.folder)
            if self.path is not None and self._synced != (now := (self._file, self._size)):
                os.fdatasync(self._file)
                self._synced = now

    def close(self) -> None:
        """Write what waits and end the run; the next `sync` lets go of the file. What the disk does not take is lost."""
        while self._pending and self._writable_again():
            pass
        if self._pending:
            self.lost += len(self._pending)
            tell(self._log.error, "usage_records_lost", records=len(self._pending))
            self._pending.clear()
        if self.path is not None:
            self.path = None
            self._retired.append(self._file)

    def _writable_again(self) -> bool:
        before = len(self._pending)
        self.retry()
        return len(self._pending) < before

    def _write(self, frame: bytes) -> None:
        if self._size >= self._segment_limit:
            self._begin_next()
        written = os.write(self._file, frame)
        if written != len(frame):
            # A full disk takes a part. Cut it off; if that fails too, readers step over it.
            os.ftruncate(self._file, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += written

    def _begin_next(self) -> None:
        with contextlib.suppress(OSError):  # no new file: the old one goes on growing
            path, file = self._begin()
            self._retired.append(self._file)
            self.path, self._file, self._size = path, file, 0

    def _begin(self) -> tuple[Path, int]:
        for _ in range(_NEW_FILES):
            path = self.folder / f"{self._name}-{self._segments:06d}{SUFFIX}"
            self._segments += 1
            file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
            if _lock(file) and path.exists():
                return path, file
            # Before it was locked, a neighbour took it for a dead run's: it is theirs to remove.
            os.close(file)
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def _lose(self) -> None:
        self.lost += 1
        if not self._full:
            self._full = True
            tell(self._log.error, "usage_records_being_lost", pending=len(self._pending))

    def _turn(self, *, writable: bool, reason: str | None) -> None:
        if writable == self._writable:
            return
        self._writable = writable
        if writable:
            self._full = False
            tell(self._log.info, "spool_writable", lost=self.lost)
        else:
            tell(self._log.error, "spool_unwritable", reason=reason)


def tell(log: Callable[..., object], event: str, **fields: object) -> None:
    """Log an event, or not: the log may be on the same full disk, and the ledger must not stop for it."""
    with contextlib.suppress(OSError, ValueError):
        log(event, **fields)


def spool_files(folder: Path) -> list[Path]:
    """Give the spool files of all runs, the oldest first. Raises `OSError`."""
    return sorted(path for path in folder.iterdir() if path.suffix == SUFFIX)


def run_of(name: str) -> str:
    """Give the name of the run that a spool file is a segment of."""
    return name.removesuffix(SUFFIX).rpartition("-")[0] or name


def others_of_run(path: Path) -> list[Path]:
    """Give the run's other spool files, the oldest first. Raises `OSError`."""
    run = run_of(path.name)
    return [other for other in spool_files(path.parent) if other != path and run_of(other.name) == run]


def claim_spool(path: Path) -> int | None:
    """Take the lock of a file whose run is over and give its descriptor; None while the run goes on.

    Whoever has it owns the file until the descriptor is closed. Raises `OSError`.
    """
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    if _lock(file) and path.exists():
        return file
    os.close(file)  # its run goes on, or another process is shipping or has shipped it
    return None


def read_from(path: Path, offset: int) -> Iterator[Frame]:
    """Give the readable frames from this byte offset on, stepping over damage and leaving a torn tail.

    What was stepped over lies between one frame's `end` and the next one's `begin`. Raises `OSError`.
    """
    with path.open("rb") as file:
        while True:
            file.seek(offset)
            block = file.read(_BLOCK)
            found = offset
            for frame in scan_frames(block, offset):
                yield frame
                found = frame.end
            if found > offset:
                offset = found
            elif len(block) < _BLOCK:
                return
            else:
                # Nothing readable in it, but a frame may begin near its end.
                offset += _BLOCK - FRAME_LIMIT


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
