"""Whether a file has changed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Stamp(NamedTuple):
    """What changes when a file does."""

    changed: int
    """Unix nanoseconds."""
    inode: int
    """Because mounts swap files by renaming."""
    size: int


def stamp_of(path: Path) -> Stamp | None:
    """Give what changes when the file does; None where there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return Stamp(stat.st_mtime_ns, stat.st_ino, stat.st_size)
