"""Taking another configuration without a restart: read, validated whole, then swapped at once.

Told to by SIGHUP, by a change of a file, or through the admin API. What cannot be used changes
nothing: the last good configuration goes on, and readiness, metrics and the log say so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from app.config.diff import diff
from app.config.loader import Loaded
from app.config.problems import ConfigError
from app.config.secret_files import CHECK_EVERY
from app.config.stamps import Stamp, stamp_of
from app.errors import InvalidConfiguration
from app.store.database import StoreUnavailable

AT_START = (
    *("server.host", "server.port", "server.write_stall", "server.overload.max_memory"),
    *("admin.host", "admin.port", "state", "storage", "ledger.spool"),
)
"""Settings that are read once: a listening socket, a watch on the memory and what is counted are not swapped."""


@dataclass(frozen=True, slots=True)
class Reload:
    """What came of taking a configuration anew."""

    changes: tuple[str, ...] = ()
    """Settings that differ, by their dotted paths; secrets are not shown."""
    restart_needed: tuple[str, ...] = ()
    """Settings that have changed since the start and hold from the next start on."""


class UnsafeConfiguration(Exception):
    """A configuration that cannot be meant, such as one that leaves the gateway open; the text says why."""


class Tally(Protocol):
    """What is told of reloads."""

    def reloaded(self, result: str) -> None:
        """Count one that was `applied`, `unchanged` or `rejected`."""
        ...


@dataclass(slots=True)
class Reloader:
    """Takes configurations anew, one at a time."""

    read: Callable[[], Loaded]
    """Reads it as at the start; called in a thread. Raises `ConfigError`."""
    apply: Callable[[Loaded], Awaitable[None]]
    """Puts it to work. Raises `StoreUnavailable`, `UnsafeConfiguration`, having changed nothing."""
    loaded: Loaded
    """What is at work."""
    started: Loaded
    """What the process was started with."""
    log: FilteringBoundLogger
    tally: Tally
    rejected: bool = False
    """Whether the last one could not be used."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def reload(self, cause: str) -> Reload:
        """Take the configuration anew. Raises `InvalidConfiguration`; then the one at work stays."""
        async with self._turn:
            try:
                found = await asyncio.to_thread(self.read)
                _refuse_emptied(found.files)
                result = Reload(_changes(self.loaded, found), _since_start(self.started, found))
                if found != self.loaded:
                    await self.apply(found)
            except (ConfigError, StoreUnavailable, UnsafeConfiguration) as error:
                self._told("rejected", cause, reason=str(error))
                raise InvalidConfiguration(
                    f"The configuration cannot be used, and the last good one stays. {error}"
                ) from None
            same, self.loaded = found == self.loaded, found
            self._told(
                "unchanged" if same else "applied",
                cause,
                changes=list(result.changes),
                restart_needed=list(result.restart_needed),
                warnings=list(found.warnings),
            )
            return result

    async def try_reload(self, cause: str) -> None:
        """Take the configuration anew; a bad one is told of in the log alone."""
        try:
            await self.reload(cause)
        except InvalidConfiguration:
            # Told already.
            return
        except Exception:
            # A fault of ours must neither stop the watching nor the gateway.
            self.log.exception("reload_failed", cause=cause)

    async def follow_files(self, files: Sequence[Path], sleep: Callable[[float], Awaitable[None]]) -> None:
        """Reload when a file has changed and then stayed as it is for a look, until cancelled.

        They are looked at rather than waited for: network drives and mounted volumes tell of no change.
        """
        taken = seen = _stamps(files)
        while True:
            await sleep(CHECK_EVERY)
            found = _stamps(files)
            if found != seen:
                seen = found
            elif found != taken:
                taken = found
                await self.try_reload("file")

    def _told(self, result: str, cause: str, **details: object) -> None:
        self.rejected = result == "rejected"
        self.tally.reloaded(result)
        tell = self.log.error if self.rejected else self.log.info
        tell(f"configuration_{result}", cause=cause, **details)


def _changes(before: Loaded, after: Loaded) -> tuple[str, ...]:
    return tuple(change.path for change in diff(before.config, after.config))


def _since_start(started: Loaded, found: Loaded) -> tuple[str, ...]:
    changed = {change.path for change in diff(started.config, found.config)}
    return tuple(path for path in AT_START if path in changed)


def _refuse_emptied(files: Sequence[Path]) -> None:
    """Refuse what is about to be written: an empty file would take every key and provider away."""
    for file, stamp in zip(files, _stamps(files), strict=True):
        if stamp is None or stamp.size == 0:
            raise UnsafeConfiguration(
                f"{file} is empty; `version: 1` alone says that all defaults are meant."
            )


def _stamps(files: Sequence[Path]) -> list[Stamp | None]:
    return [stamp_of(file) for file in files]
