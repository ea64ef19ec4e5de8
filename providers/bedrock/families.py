"""What models of different makers take through the same API, told by their names.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from providers.types import JsonObject

MORE = "additionalModelRequestFields"
"""Where fields stand that are a model's own."""


class Family(NamedTuple):
    """Models that are asked alike."""

    parts: tuple[str, ...]
    """One of these is in the name."""
    effort: Callable[[str], JsonObject]
    """What in the body stands for a `reasoning_effort`."""
    steers_calls: bool = False
    """Takes Anthropic's own `tool_choice`, which can forbid calls and have them come one by one."""


def _anthropic_effort(effort: str) -> JsonObject:
    if effort == "none":
        return {MORE: {"thinking": {"type": "disabled"}}}
    efforts = {"minimal": "low"}
    return {
        "outputConfig": {"effort": efforts.get(effort, effort)},
        MORE: {"thinking": {"type": "adaptive"}},
    }


def _nova_effort(effort: str) -> JsonObject:
    if effort == "none":
        return {MORE: {"reasoningConfig": {"type": "disabled"}}}
    efforts = {"minimal": "low", "xhigh": "high", "max": "high"}
    return {MORE: {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": efforts.get(effort, effort)}}}


_FAMILIES = (
    Family(("anthropic.", "claude"), _anthropic_effort, steers_calls=True),
    Family(("nova-2", "nova-premier-2"), _nova_effort),
)
_OTHERS = Family((), lambda effort: {MORE: {"reasoning_effort": effort}})


def family_of(model: str) -> Family:
    """Give the family by a model's ID. The ARN of a profile tells nothing: that is one of the others."""
    name = model.lower()
    return next((each for each in _FAMILIES if any(part in name for part in each.parts)), _OTHERS)
