"""What a breaker answers to a call that wants to pass. Monotonic seconds come as `now`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.gateway.verdicts import Mark


@dataclass(frozen=True, slots=True)
class Barred:
    """A call may not pass."""

    retry_after: float
    """Seconds until one might."""


class Permit:
    """A call that may pass. It ends exactly once: `succeed`, `fail` or `release`; what comes later does nothing."""

    __slots__ = ("_learn", "era")

    def __init__(self, era: int, learn: Callable[[Permit, Mark, float], None]) -> None:
        self.era = era
        """How often the breaker had changed its state when the call passed."""
        self._learn: Callable[[Permit, Mark, float], None] | None = learn

    def succeed(self, now: float) -> None:
        """End with an answer as it should be."""
        self.end("success", now)

    def fail(self, now: float) -> None:
        """End with a fault of who was asked."""
        self.end("failure", now)

    def release(self, now: float) -> None:
        """End with nothing learnt: the client left, its deadline passed, or the call was never sent."""
        self.end("nothing", now)

    def end(self, mark: Mark, now: float) -> None:
        """End as the mark says."""
        learn, self._learn = self._learn, None
        if learn is not None:
            learn(self, mark, now)
