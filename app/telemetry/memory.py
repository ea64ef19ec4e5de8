"""How much memory this process holds, and how much it may."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Of the control group, version 2 and 1 (https://docs.kernel.org/admin-guide/cgroup-v2.html)."""
_MOST = 1 << 60
"""Version 1 writes a number beyond all memory where there is no limit."""


def memory_limit(files: tuple[str, ...] = _LIMITS) -> int | None:
    """Give the bytes that the control group may hold, None where nothing limits it."""
    for file in files:
        try:
            said = Path(file).read_text().strip()
        except OSError:
            continue
        if said.isdigit() and 0 < int(said) < _MOST:
            return int(said)
    return None


def resident() -> int:
    """Give the bytes that this process holds. 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as told:  # noqa: PTH123 - read every second: pathlib takes twice as long
            return int(told.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def memory_share(limit: int | None, used: Callable[[], int] = resident) -> float:
    """Give the part of the limit that is in use; 0 without a limit."""
    return used() / limit if limit else 0.0
