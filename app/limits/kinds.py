"""What can be limited: one row a kind."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, NamedTuple

MINUTE, DAY = 60.0, 86_400.0

Counted = Literal["requests", "tokens", "input_tokens", "output_tokens"]


class LimitKind(StrEnum):
    """The name of a limit, as the configuration writes it."""

    RPM = "rpm"
    RPD = "rpd"
    TPM = "tpm"
    ITPM = "itpm"
    OTPM = "otpm"
    CONCURRENCY = "concurrency"


class Rule(NamedTuple):
    """What a kind means."""

    length: float | None
    """Seconds of the sliding window; None is a gauge of what is under way."""
    counts: Counted
    """Which of a call's amounts it counts."""


RULES: Mapping[LimitKind, Rule] = {
    LimitKind.RPM: Rule(MINUTE, "requests"),
    LimitKind.RPD: Rule(DAY, "requests"),
    LimitKind.TPM: Rule(MINUTE, "tokens"),
    LimitKind.ITPM: Rule(MINUTE, "input_tokens"),
    LimitKind.OTPM: Rule(MINUTE, "output_tokens"),
    LimitKind.CONCURRENCY: Rule(None, "requests"),
}
