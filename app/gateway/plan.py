"""What a call may try: the values that the router gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from app.config.models import Timeouts
from providers.types import Target

Cause = Literal["default", "context_window", "content_policy", "rate_limit"]
"""What has become of a model's targets, so that others are tried."""

NONE: Mapping[Any, Any] = MappingProxyType({})


def none() -> Mapping[Any, Any]:
    """Give the empty mapping, always the same one."""
    return NONE


@dataclass(frozen=True, slots=True)
class Plan:
    """The targets of one call, in the order in which they are tried."""

    targets: tuple[Target, ...]
    rule: str
    """Which rule chose them, for people."""
    skipped: tuple[str, ...] = ()
    """Targets that were left out, each with the reason."""
    fallbacks: Mapping[Cause, tuple[Target, ...]] = field(default_factory=none)
    """The chains that follow where none of the targets has answered."""
    timeouts: Mapping[str, Timeouts] = field(default_factory=none)
    """By provider, where the model has its own."""
    reasons: Mapping[str, str] = field(default_factory=none)
    """Why each target stands where it does, by its name; where that was asked for."""

    @property
    def every(self) -> tuple[Target, ...]:
        """Every target that the call may come to, each once."""
        if not self.fallbacks:
            return self.targets
        chains = (self.targets, *self.fallbacks.values())
        return tuple({target.name: target for chain in chains for target in chain}.values())
