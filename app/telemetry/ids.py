"""Ids that nobody can guess, many from one question to the system: asking costs as much as the rest of a call's head."""

from __future__ import annotations

from collections.abc import Callable

SIZE = 16
"""Bytes of an id."""
DRAWN = 256
"""Ids that are drawn at once."""


class Ids:
    """Gives unique ids of 32 hex digits."""

    def __init__(self, draw: Callable[[int], bytes]) -> None:
        """`draw` gives so many random bytes."""
        self._draw = draw
        self._left: list[str] = []

    def __call__(self) -> str:
        """Give a new one."""
        if not self._left:
            drawn = self._draw(SIZE * DRAWN).hex()
            self._left = [drawn[at : at + 2 * SIZE] for at in range(0, len(drawn), 2 * SIZE)]
        return self._left.pop()
