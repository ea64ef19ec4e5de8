"""What a provider says is left of its limits, less what was sent since. Pure; `now` in monotonic seconds.

What was said holds until the reset that came with it: after that nothing is known, and nothing is held back.
"""

from __future__ import annotations

from providers.types import RateLimits

UNSAID_RESET = 5.0
"""Seconds for which a count without a reset is believed."""


class Left:
    """What is left of one limit."""

    __slots__ = ("_amount", "_until")

    def __init__(self) -> None:
        self._amount = 0
        self._until = float("-inf")

    def learn(self, amount: int | None, reset: float | None, now: float) -> None:
        """Take what the provider says; None says nothing. `reset` in seconds."""
        if amount is not None:
            self._amount = amount
            self._until = now + (UNSAID_RESET if reset is None else reset)

    def spend(self, amount: int) -> None:
        """Count what is being sent before the provider says anew."""
        self._amount = max(0, self._amount - amount)

    def known(self, now: float) -> int | None:
        """Give what is left as far as is known."""
        return self._amount if now < self._until else None

    def short_for(self, amount: int, now: float) -> float:
        """Give the seconds for which so much does not fit; 0: it fits, as far as is known."""
        return max(0.0, self._until - now) if amount > self._amount else 0.0


class Headroom:
    """What is left of the limits of a credential for a model."""

    __slots__ = ("requests", "tokens")

    def __init__(self) -> None:
        self.requests = Left()
        self.tokens = Left()

    def learn(self, limits: RateLimits, now: float) -> None:
        """Take what an answer's headers say."""
        self.requests.learn(limits.remaining_requests, limits.reset_requests, now)
        self.tokens.learn(limits.remaining_tokens, limits.reset_tokens, now)

    def spend(self, tokens: int) -> None:
        """Count a call that is being sent."""
        self.requests.spend(1)
        self.tokens.spend(tokens)

    def short_for(self, tokens: int, now: float) -> float:
        """Give the seconds for which such a call does not fit; 0: it fits, as far as is known."""
        return max(self.requests.short_for(1, now), self.tokens.short_for(tokens, now))
