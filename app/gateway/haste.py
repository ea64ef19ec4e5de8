"""Refusing over limits before a call's body is read, where no body could change the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from app.auth.principal import Principal
from app.errors import LimitReached
from app.gateway.client_limits import limit_reached, standing_headers
from app.gateway.rules import AnyCall, LimitRules
from app.gateway.subjects import REMEMBERED
from app.limits.ask import Amounts
from app.limits.limiter import Limiter

ONE = Amounts(requests=1)
TOLD_AGAIN = 0.01
"""Seconds for which a caller without room is told the same: who asks so soon is told to wait that much too long."""


class Objections(Protocol):
    """Knows why no call of a caller would be let in."""

    def objection(self, principal: Principal) -> LimitReached | None:
        """Say what refuses any call of a caller now. None where that depends on the call, or takes work."""
        ...


class NoObjections:
    """Knows nothing."""

    def objection(self, _principal: Principal) -> LimitReached | None:
        """Object to nothing."""
        return None


NO_OBJECTIONS = NoObjections()


class HastyLimits:
    """Looks at the limits that count calls, and takes nothing: what it lets pass asks again with all that it is."""

    def __init__(self, rules: LimitRules, limiter: Limiter, now: Callable[[], float]) -> None:
        """`now` gives monotonic seconds."""
        self._rules = rules
        self._limiter = limiter
        self._now = now
        self._told: dict[AnyCall, tuple[float, LimitReached]] = {}
        """Until when which refusal is told again."""

    def objection(self, principal: Principal) -> LimitReached | None:
        """Give the refusal that each call of the caller would get now, or would have got just now."""
        limits = self._rules.of_any_call(principal)
        if not limits.of_requests or not self._limiter.is_full(limits.of_requests, ONE):
            return None
        now = self._now()
        until, refusal = self._told.get(limits, (0.0, None))
        return refusal if now < until else self._find(limits, now)

    def _find(self, limits: AnyCall, now: float) -> LimitReached | None:
        found = self._limiter.glimpse(limits.of_requests, ONE, limits.every)
        if found is None:
            return None
        refusal = limit_reached(found.refusal, standing_headers(found.tightest))
        if len(self._told) >= REMEMBERED:
            self._told.clear()
        self._told[limits] = now + TOLD_AGAIN, refusal
        return refusal
