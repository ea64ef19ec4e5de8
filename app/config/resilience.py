"""What is done about a provider that fails: when it is left alone, and how often it is asked again."""

from __future__ import annotations

from decimal import Decimal
from typing import Self

from pydantic import model_validator

from app.config.amounts import Share
from app.config.scalars import Count, Duration, Wait, duration_text, refuse
from app.config.section import Section


class BreakerSettings(Section):
    """When a provider, or one of its models, is left alone for a while."""

    consecutive: Count = 5
    """Failures in a row after which it is left alone."""
    failure_ratio: Share = Decimal("0.5")
    """The share of failures among recent calls from which on it is left alone."""
    min_calls: Count = 20
    """How many recent calls there must be for their share of failures to count."""
    window: Wait = 10.0
    """How far back recent calls go."""
    open_for: Wait = 5.0
    """How long it is left alone at first; twice as long each time that it has not recovered."""
    max_open: Wait = 300.0
    """How long it is left alone at most."""

    @model_validator(mode="after")
    def _longest_is_longest(self) -> Self:
        if self.max_open < self.open_for:
            said = f"max_open is shorter than open_for, which is {duration_text(self.open_for)}"
            refuse(said, f"write max_open: {duration_text(self.open_for)} or more")
        return self


class RetrySettings(Section):
    """How often a call that failed is sent to the same target again."""

    attempts: Count = 2
    """Tries of one target, the first included; 1 means never again."""
    backoff: Duration = 0.2
    """The longest wait before the first try again; each further one waits up to twice as long. Waits are random."""
    max_backoff: Duration = 5.0
    """The longest wait of all, but where the provider itself asks for more and there is no other target."""

    @model_validator(mode="after")
    def _longest_is_longest(self) -> Self:
        if self.max_backoff < self.backoff:
            said = f"max_backoff is shorter than backoff, which is {duration_text(self.backoff)}"
            refuse(said, f"write max_backoff: {duration_text(self.backoff)} or more")
        return self
