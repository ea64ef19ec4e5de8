"""How old the snapshot of the stored keys is. Pure: the clock is given."""

from __future__ import annotations

import math
from collections.abc import Callable


class Freshness:
    """When the snapshot was last compared with the store, and whether that is too long ago."""

    def __init__(self, stale_after: float, monotonic: Callable[[], float]) -> None:
        """Take the seconds after which a snapshot is stale. Until the first look it is."""
        self.configure(stale_after)
        self._monotonic = monotonic
        self._seen = -math.inf

    def configure(self, stale_after: float) -> None:
        """Take another time, in seconds."""
        self._stale_after = stale_after

    def now(self) -> float:
        """Give the moment in which a look begins: what it finds was true then."""
        return self._monotonic()

    def renew(self, moment: float) -> None:
        """Say that the snapshot is what the store held at that moment."""
        self._seen = moment

    def is_stale(self) -> bool:
        """Whether a key that is not in the snapshot may all the same be in the store."""
        return self._monotonic() - self._seen > self._stale_after
