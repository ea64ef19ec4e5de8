"""A call's way through its targets and fallbacks: gives one after the other, told of each failure. Pure.

No target is given twice. Each chain of fallbacks is gone through at most once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.errors import BudgetExceeded, GatewayError, LimitReached, Upstream
from app.gateway.plan import Cause, Plan
from providers.errors import ContentPolicyViolation, ContextLengthExceeded, RateLimited, UpstreamError
from providers.types import Target

Failure = UpstreamError | GatewayError
"""Why a target has not answered: what came of an attempt, or why a gate kept it out."""

_SPECIAL: Mapping[type[Failure], Cause] = {
    ContextLengthExceeded: "context_window",
    ContentPolicyViolation: "content_policy",
}
"""Failures that the other targets of a model would have too: only a chain for them helps."""
_AT_A_LIMIT = (RateLimited, LimitReached, BudgetExceeded)
_NO_CREDENTIAL_HAS_ROOM = "upstream_rate_limited"
"""The kind of the refusal of a target whose credentials are all parked."""


class Route:
    """Of one call."""

    __slots__ = ("_all_at_limits", "_at", "_cause", "_chain", "_given", "_unused")

    def __init__(self, plan: Plan) -> None:
        self._chain: Sequence[Target] = plan.targets
        self._at = 0
        self._cause: Cause | None = None
        self._unused = dict(plan.fallbacks) if plan.fallbacks else {}
        self._given: set[str] = set()
        self._all_at_limits = True

    def leads_on(self, failure: Failure) -> bool:
        """Whether another target may be tried after this failure."""
        return bool(self._ahead(failure)[1])

    def next(self, failure: Failure | None = None) -> Target | None:
        """Give the target to try next, after what became of the one before; None where there is no other."""
        cause, left = self._ahead(failure)
        if not left:
            return None
        if failure is not None:
            self._all_at_limits &= _is_at_limit(failure)
        if cause is not self._cause:
            self._given |= {target.name for target in self._chain[: self._at]}
            self._unused.pop(cause or "default", None)
            self._cause, self._chain, self._at = cause, left, 0
        self._at += 1
        return left[0]

    def others(self) -> Sequence[Target]:
        """Give the targets of the chain that were not given: what may be tried beside the one that is being tried."""
        return self._chain[self._at :]

    def give(self, target: Target) -> None:
        """Note that one of the others is tried out of its turn."""
        others = [each for each in self.others() if each is not target]
        self._chain = [*self._chain[: self._at], target, *others]
        self._at += 1

    def _ahead(self, failure: Failure | None) -> tuple[Cause | None, Sequence[Target]]:
        """Say which chain goes on, and what of it."""
        here = self._cause, self._chain[self._at :]
        if failure is None:
            return here
        special = _SPECIAL.get(type(failure))
        if special is not None and special == self._cause:
            return here
        if special is not None:
            return special, self._fresh(special)
        if isinstance(failure, UpstreamError) and not failure.try_next:
            return None, ()
        if here[1]:
            return here
        return self._fallback(at_limits=self._all_at_limits and _is_at_limit(failure))

    def _fallback(self, *, at_limits: bool) -> tuple[Cause | None, Sequence[Target]]:
        causes: tuple[Cause, ...] = ("rate_limit", "default") if at_limits else ("default",)
        ways = ((cause, self._fresh(cause)) for cause in causes)
        return next((way for way in ways if way[1]), (None, ()))

    def _fresh(self, cause: Cause) -> Sequence[Target]:
        """Give what of a chain was not given yet; nothing once it has been gone into."""
        chain = self._unused.get(cause)
        if not chain:
            return ()
        given = self._given | {target.name for target in self._chain[: self._at]}
        return [target for target in chain if target.name not in given]


def _is_at_limit(failure: Failure) -> bool:
    parked = isinstance(failure, Upstream) and failure.kind == _NO_CREDENTIAL_HAS_ROOM
    return parked or isinstance(failure, _AT_A_LIMIT)
