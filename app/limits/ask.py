"""What is asked of limits, and what they answer. All frozen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from app.config.state import OnStateLoss
from app.limits.kinds import RULES, Counted, LimitKind, Rule


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `capacity` of a kind for a subject: `key:ci`, `model:fast`, `credential:openai/0`, …"""

    subject: str
    kind: LimitKind
    capacity: int
    on_loss: OnStateLoss | None = None
    """None: as the configuration has it for all."""
    rule: Rule = field(init=False, repr=False, compare=False)
    counts: Counted = field(init=False, repr=False, compare=False)
    """Which of a call's amounts it counts."""
    key: str = field(init=False, repr=False, compare=False)
    """Names the count. The capacity is no part of it: a new one applies to what is counted already."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rule", RULES[self.kind])
        object.__setattr__(self, "counts", self.rule.counts)
        object.__setattr__(self, "key", f"{self.kind} {self.subject}")


class Amounts(NamedTuple):
    """What a call uses: an estimate when it asks, the truth when it settles."""

    requests: int = 1
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Both ways together."""
        return self.input_tokens + self.output_tokens

    def of(self, counted: Counted) -> int:
        """Give the one amount that a kind counts."""
        amount: int = getattr(self, counted)
        return amount


class Refusal(NamedTuple):
    """The limit that frees last of those that have no room."""

    limit: Limit
    used: int
    asked: int
    retry_after: float | None
    """Seconds until the same ask passes every limit, if nothing else arrives or is given back.
    Exact for windows, a guess for concurrency. None: it never passes, for it asks more than the whole limit."""


class Standing(NamedTuple):
    """How far a limit is used."""

    limit: Limit
    remaining: int
    reset_after: float
    """Seconds until all of it is free again, if nothing else arrives."""


class Tightest(NamedTuple):
    """The limits that a client will meet first, for `x-ratelimit-*`. None: there is no such limit."""

    requests: Standing | None
    tokens: Standing | None

    @classmethod
    def among(cls, standings: Iterable[Standing]) -> Tightest:
        """Pick the least that is left of requests and of tokens; gauges have no place in the headers."""
        requests: list[Standing] = []
        tokens: list[Standing] = []
        for standing in standings:
            length, counts = standing.limit.rule
            if length is not None:
                (requests if counts == "requests" else tokens).append(standing)
        return cls(_least(requests), _least(tokens))


def _least(standings: list[Standing]) -> Standing | None:
    return min(standings, key=lambda each: (each.remaining, -each.reset_after), default=None)
