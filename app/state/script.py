"""A Lua script: one decision, taken by the server in one step."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

TAG = "{switchgear}"
"""The one hash tag of all keys: a cluster keeps them in one slot, so that a script can reach them together."""


@dataclass(frozen=True, slots=True)
class Script:
    """The text of a script, and the name under which a server keeps it."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha", digest)


def read_script(*files: Path) -> Script:
    """Read a script from its parts, in the order in which they stand."""
    return Script("\n".join(file.read_text() for file in files))


def key_of(*parts: str) -> str:
    """Give the key under which something is kept."""
    return ":".join((TAG, *parts))
