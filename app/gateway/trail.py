"""What was decided on a call's way, for the log at level `debug`; at any other level nothing is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from app.errors import GatewayError, from_upstream
from app.gateway.plan import Plan
from app.gateway.retry import GiveUp, NextTarget, OtherCredential, RetryAfter, Step
from providers.errors import UpstreamError
from providers.types import Json, Target


class Trail(Protocol):
    """Of one call."""

    def skipped(self, target: Target, error: GatewayError) -> None:
        """Note a target that a gate has kept the call from."""
        ...

    def hedged(self, target: Target) -> None:
        """Note a target that is tried beside one that is late."""
        ...

    def failed(self, target: Target, error: UpstreamError, then: Step) -> None:
        """Note an attempt that has failed, and what follows."""
        ...

    def answered(self, target: Target) -> None:
        """Note the attempt that has answered."""
        ...

    def close(self) -> None:
        """Tell of it, once."""
        ...


class Trails(Protocol):
    """Makes them."""

    def reasons(self) -> dict[str, str] | None:
        """Give what balancers fill with their reasons; None where nobody will read them."""
        ...

    def begin(self, request_id: str, model: str, plan: Plan) -> Trail:
        """Begin the one of a call that has its plan."""
        ...


class NoTrail:
    """Keeps nothing."""

    def reasons(self) -> dict[str, str] | None:
        """Ask for no reasons."""
        return None

    def begin(self, _request_id: str, _model: str, _plan: Plan) -> Trail:
        """Give itself."""
        return self

    def skipped(self, _target: Target, _error: GatewayError) -> None:
        """Keep nothing."""

    def hedged(self, _target: Target) -> None:
        """Keep nothing."""

    def failed(self, _target: Target, _error: UpstreamError, _then: Step) -> None:
        """Keep nothing."""

    def answered(self, _target: Target) -> None:
        """Keep nothing."""

    def close(self) -> None:
        """Tell nothing."""


NO_TRAIL = NoTrail()


@dataclass(frozen=True, slots=True)
class LoggedTrails:
    """Tells of each call in one event, `decisions`."""

    log: FilteringBoundLogger

    def reasons(self) -> dict[str, str] | None:
        """Ask for reasons."""
        return {}

    def begin(self, request_id: str, model: str, plan: Plan) -> Trail:
        """Begin with the plan."""
        fallbacks = {cause: [target.name for target in chain] for cause, chain in plan.fallbacks.items()}
        told: dict[str, Json] = {
            "request_id": request_id,
            "model": model,
            "rule": plan.rule,
            "plan": [{"target": t.name, "why": plan.reasons.get(t.name, "")} for t in plan.targets],
            "left_out": list(plan.skipped),
            "fallbacks": fallbacks,
        }
        return _Logged(self.log, told)


@dataclass(slots=True)
class _Logged:
    log: FilteringBoundLogger
    told: dict[str, Json]
    steps: list[dict[str, Json]] = field(default_factory=list)

    def skipped(self, target: Target, error: GatewayError) -> None:
        self._step(target, error.kind, "next target")

    def hedged(self, target: Target) -> None:
        self._step(target, "begun", "beside the one before")

    def failed(self, target: Target, error: UpstreamError, then: Step) -> None:
        # Its code alone: a provider's words may repeat a prompt.
        self._step(target, from_upstream(error).kind, _said(then))

    def answered(self, target: Target) -> None:
        self._step(target, "success", "end")

    def close(self) -> None:
        self.log.debug("decisions", **self.told, steps=self.steps)

    def _step(self, target: Target, outcome: str, then: str) -> None:
        self.steps.append({"target": target.name, "outcome": outcome, "then": then})


def _said(step: Step) -> str:
    if isinstance(step, RetryAfter):
        return f"again in {step.seconds:.3f} s"
    return _SAID[type(step)]


_SAID: Mapping[type[Step], str] = {
    GiveUp: "end",
    NextTarget: "next target",
    OtherCredential: "again with another credential",
}
