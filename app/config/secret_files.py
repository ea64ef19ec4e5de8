"""Secrets that stand in files of their own, as container platforms mount them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from app.config.credentials import fault_of
from app.config.stamps import stamp_of
from providers.types import Secret

LARGEST_SECRET = 64 << 10
"""Bytes. The longest credentials (service account JSON) are a few KiB."""
CHECK_EVERY = 1.0
"""Seconds between two looks at a file."""


class FileSecret(Secret):
    """A secret that is read again when its file changes.

    While the file is missing, empty, unreadable or holds what would be refused at the start, as it
    may for a moment during a rotation, the last text stands.
    """

    __slots__ = ("_checked_at", "_clock", "_stamp", "path")

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        """Read the file; `clock` in seconds. Raises `ValueError` saying why it cannot be used."""
        self.path = path
        self._clock = clock
        self._checked_at = clock()
        self._stamp = stamp_of(path)
        super().__init__(_read(path))

    def reveal(self) -> str:
        """Give the text as the file has it, at most a second old."""
        now = self._clock()
        if now - self._checked_at >= CHECK_EVERY:
            self._checked_at = now
            self._look()
        return self._text

    def _look(self) -> None:
        stamp = stamp_of(self.path)
        if stamp == self._stamp:
            return
        try:
            text = _read(self.path)
        except ValueError:
            return
        if fault_of(text, guards_us=False) is None:
            self._text, self._stamp = text, stamp


class SecretFiles:
    """Reads secrets from files and remembers which."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.paths: list[Path] = []

    def read(self, path: str) -> Secret:
        """Give the secret of a file. Raises `ValueError` saying why it cannot be used."""
        secret = FileSecret(Path(path), self._clock)
        if secret.path not in self.paths:
            self.paths.append(secret.path)
        return secret


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_SECRET + 1)
        text = data.decode()
    except OSError as error:
        raise ValueError(f"the secret file {path} cannot be read: {os.strerror(error.errno or 0)}") from None
    except UnicodeDecodeError:
        raise ValueError(f"the secret file {path} is not UTF-8") from None
    if len(data) > LARGEST_SECRET:
        raise ValueError(f"the secret file {path} is larger than {LARGEST_SECRET} bytes")
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise ValueError(f"the secret file {path} is empty")
    return text
