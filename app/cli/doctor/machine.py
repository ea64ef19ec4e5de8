"""The process and the machine: Python, open files, clock, variables."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from app.cli.doctor.finding import Finding, broken, ok, warn
from providers.catalog import CATALOG

OLDEST_PYTHON = (3, 11)
FILES_OF_A_CALL = 2
"""Descriptors: the client's connection and the provider's."""
FILES_OF_THE_GATEWAY = 64
FEWEST_FILES = 1024
"""What Linux gives a process unless told otherwise."""
EARLIEST_NOW = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
"""Nobody runs this program before it was written: an earlier clock is wrong."""


def look_at_machine(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at all of it."""
    yield _python()
    yield _open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    yield _clock(time.time())
    yield from empty_variables(environ)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        return broken("python", version, "install Python 3.11 or newer")
    return ok("python", version)


def _open_files(limit: int) -> Finding:
    if limit == resource.RLIM_INFINITY:
        return ok("open files", "unlimited")
    calls = max(0, limit - FILES_OF_THE_GATEWAY) // FILES_OF_A_CALL
    found = f"{limit}, enough for about {calls} calls at a time"
    return ok("open files", found) if limit >= FEWEST_FILES else warn("open files", found, "ulimit -n 65536")


def _clock(now: float) -> Finding:
    shown = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if now < EARLIEST_NOW:
        return broken(
            "clock", f"{shown} is in the past", "set it: certificates, expiry and reports rely on it"
        )
    return ok("clock", shown)


def empty_variables(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Find the vendors' variables that are set to nothing, and so set nothing."""
    names = [name for row in CATALOG.values() for name in (*row.env, *row.base_url_env)]
    for name in (*names, "SWITCHGEAR_MASTER_KEY"):
        if environ.get(name) == "":
            yield warn(
                "variable", f"{name} is set, but empty, which counts as not set", f"unset {name}, or fill it"
            )
