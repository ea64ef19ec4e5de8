"""What models of different makers take through the same API, told by their names.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from providers.anthropic import thinking
from providers.asked import unsupported
from providers.types import JsonObject, Target

MORE = "additionalModelRequestFields"
"""Where fields stand that are a model's own."""


class Family(NamedTuple):
    """Models that are asked alike."""

    parts: tuple[str, ...]
    """One of these is in the name."""
    effort: Callable[[str, int | None, Target], JsonObject]
    """Gives what in the body stands for a `reasoning_effort`, within a cap. Raises `UnsupportedParameter`."""
    steers_calls: bool = False
    """Takes Anthropic's own `tool_choice`, which can forbid calls and have them come one by one."""


def _anthropic_effort(effort: str, cap: int | None, target: Target) -> JsonObject:
    if effort == "none":
        return {MORE: {"thinking": {"type": "disabled"}}}
    if thinking.is_by_budget(target.model):
        budget = thinking.budget(effort, cap, target)
        return {MORE: {"thinking": {"type": "enabled", "budget_tokens": budget}}}
    return {
        "outputConfig": {"effort": thinking.EFFORTS.get(effort, effort)},
        MORE: {"thinking": {"type": "adaptive"}},
    }


def _nova_effort(effort: str, _cap: int | None, target: Target) -> JsonObject:
    if effort == "none":
        return {MORE: {"reasoningConfig": {"type": "disabled"}}}
    if effort not in _NOVA:
        raise unsupported("reasoning_effort", target, f"It takes none, {', '.join(_NOVA)}. ")
    return {MORE: {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": _NOVA[effort]}}}


def _same_effort(effort: str, _cap: int | None, _target: Target) -> JsonObject:
    return {MORE: {"reasoning_effort": effort}}


_NOVA = {"minimal": "low", "low": "low", "medium": "medium", "high": "high"}
_FAMILIES = (
    Family(("anthropic.", "claude"), _anthropic_effort, steers_calls=True),
    Family(("nova-2", "nova-premier-2"), _nova_effort),
)
_OTHERS = Family((), _same_effort)


def family_of(model: str) -> Family:
    """Give the family by a model's ID. The ARN of a profile tells nothing: that is one of the others."""
    name = model.lower()
    return next((each for each in _FAMILIES if any(part in name for part in each.parts)), _OTHERS)
