"""How a server tells that a client has closed its connection: by one call, which costs nothing until it comes."""

from __future__ import annotations

from collections.abc import Callable

LEAVING = "switchgear.leaving"
"""The key under which the scope carries a `Leaving`, where the front door is the server."""


def _nobody() -> None:
    pass


class Leaving:
    """Of one request."""

    __slots__ = ("_hears", "left")

    def __init__(self) -> None:
        self.left = False
        self._hears: Callable[[], None] = _nobody

    def tell(self) -> None:
        """Say that the client has left."""
        self.left = True
        self._hears()

    def hear(self, hears: Callable[[], None]) -> None:
        """Be told, or at once if it has left already; nobody else is."""
        self._hears = hears
        if self.left:
            hears()

    def hear_no_more(self) -> None:
        """Let nobody be told."""
        self._hears = _nobody
