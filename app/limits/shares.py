"""What limits come to while the state that processes share is lost. Pure."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.config.state import OnStateLoss
from app.errors import limits_unavailable
from app.limits.ask import Limit, Refusal

OPEN = sys.maxsize


def shares_of(limits: Sequence[Limit], instances: int, on_loss: OnStateLoss) -> list[Limit]:
    """Give what this one of several processes may use. Raises `Unavailable` where a limit is closed.

    A share is rounded down, and is never nothing: the sum of all is the limit, or a call for each process.
    """
    shares: list[Limit] = []
    for limit in limits:
        policy = limit.on_loss or on_loss
        if policy == "closed":
            raise limits_unavailable(f"{limit.kind} {limit.capacity} of {limit.subject}")
        capacity = OPEN if policy == "open" else min(limit.capacity, max(1, limit.capacity // instances))
        shares.append(replace(limit, capacity=capacity))
    return shares


def told(refusal: Refusal, whole: Mapping[str, Limit]) -> Refusal:
    """Let a refusal through. Raises `Unavailable` for a call that only a share is too small for: that is our fault."""
    limit = whole[refusal.limit.key]
    if refusal.retry_after is None and refusal.asked <= limit.capacity:
        raise limits_unavailable(f"{limit.kind} {limit.capacity} of {limit.subject}")
    return refusal
