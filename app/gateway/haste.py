"""Refusing over limits before a call's body is read, where no body could change the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from app.auth.principal import Principal
from app.errors import LimitReached
from app.gateway.client_limits import limit_reached, standing_headers
from app.gateway.rules import LimitRules
from app.limits.ask import Amounts
from app.limits.limiter import Limiter

ONE = Amounts(requests=1)


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


@dataclass(frozen=True, slots=True)
class HastyLimits:
    """Looks at the limits that count calls, and takes nothing: what it lets pass asks again with all that it is."""

    rules: LimitRules
    limiter: Limiter

    def objection(self, principal: Principal) -> LimitReached | None:
        """Give the refusal that each call of the caller would get now."""
        limits = self.rules.of_any_call(principal)
        if not limits.of_requests:
            return None
        answer = self.limiter.glimpse(limits.of_requests, ONE, limits.every)
        if answer is None:
            return None
        return limit_reached(answer.refusal, standing_headers(answer.tightest))
