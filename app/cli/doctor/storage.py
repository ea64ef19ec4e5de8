"""What is kept: the data folder, the disk, the database, the spool."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from app.cli.database import exists
from app.cli.doctor.contents import Contents
from app.cli.doctor.finding import Finding, broken, ok, warn
from app.config.storage import POSTGRESQL, SQLITE, Storage
from app.telemetry.record import CallRecord
from app.usage.frames import decode_entry
from app.usage.spool import read_from, spool_files
from app.usage.writer import DAMAGED, REJECTED

LOW_DISK = 1 << 30
"""Bytes: the rows of a million calls."""
FULL_DISK = 64 << 20
"""Bytes: one file of the spool."""
SKEW = 60.0
"""Seconds by which a file may be newer than the clock."""


_ADVICE = {
    SQLITE: "see that it is a database of this program, yours to write, and held by no other program",
    POSTGRESQL: "see that it runs, that this machine reaches it, and that its user may create tables",
}


def files_of(spool: Path) -> list[Path]:
    """Give the files of the spool, none where there is none or it may not be read."""
    try:
        return spool_files(spool)
    except OSError:
        return []


def look_at_storage(storage: Storage, spool: Path, contents: Contents) -> Iterator[Finding]:
    """Look at all of it."""
    file = storage.local if storage.kind == SQLITE else None
    wanted = file.parent if file else spool
    folder = next(each for each in (wanted.absolute(), *wanted.absolute().parents) if each.exists())
    yield _folder(wanted, folder)
    yield _disk(folder)
    yield _database(storage, contents)
    if file and file.exists():
        yield from _file(file)
    if spool.is_dir():
        yield from _spool(spool, contents)


def _folder(wanted: Path, found: Path) -> Finding:
    if not found.is_dir():
        return broken("data folder", f"{found} is a file", "remove it, or set `storage` to another place")
    if not os.access(found, os.R_OK | os.W_OK | os.X_OK):
        advice = "give it to the user who runs the gateway, or set `storage` to another place"
        return broken("data folder", f"{found} cannot be written to", advice)
    made = "" if found == wanted.absolute() else ", to be made at the first start"
    return ok("data folder", f"{wanted}{made}")


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    found = f"{free / (1 << 30):.1f} GiB free"
    if free < FULL_DISK:
        return broken("disk", found, "free some: usage cannot be written down")
    if free < LOW_DISK:
        return warn("disk", found, "free some: usage grows with every call")
    return ok("disk", found)


def _database(storage: Storage, contents: Contents) -> Finding:
    name = str(storage.local if storage.kind == SQLITE else storage)
    if contents.trouble:
        return broken("database", contents.trouble, _ADVICE[storage.kind])
    if not exists(storage):
        return ok("database", f"{name}, to be made at the first start")
    return ok("database", f"{name} opens; live keys in it: {contents.live_keys}")


def _file(path: Path) -> Iterator[Finding]:
    status = path.stat()
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield warn("database", f"{path} is open to other users", f"chmod 600 {path}")
    if status.st_mtime > time.time() + SKEW:
        yield warn("clock", f"{path} was written in what is the future now", "set the clock")


def _spool(folder: Path, contents: Contents) -> Iterator[Finding]:
    try:
        for file in sorted(folder.iterdir()):
            if file.name == REJECTED or file.suffix == DAMAGED:
                yield warn(
                    "spool", f"{file} holds records that did not get into the database", "look at them"
                )
        files = spool_files(folder)
        pending = sum(_records(file, contents.offsets.get(file.name, 0)) for file in files)
    except OSError as error:
        yield broken("spool", f"{folder}: {error.strerror}", "give it to the user who runs the gateway")
        return
    if pending:
        yield warn(
            "spool", f"calls not in the database yet: {pending}", "a running gateway ships them; start it"
        )
    else:
        yield ok("spool", "all calls are in the database")


def _records(file: Path, offset: int) -> int:
    """Count the calls that have ended; intents become rows only if their calls never do."""
    entries = (decode_entry(frame.payload) for frame in read_from(file, offset))
    return sum(isinstance(entry, CallRecord) for entry in entries)
