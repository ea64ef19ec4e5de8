"""How much a Claude is to think: OpenAI's `reasoning_effort` → a budget of tokens, or an effort of Anthropic's own.

Models up to 4.5 know a budget alone, and those after it an effort, of which the newest refuse a budget:
https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking and …/adaptive-thinking.
"""

from __future__ import annotations

import re

from providers import shape
from providers.errors import RequestRejected, UnsupportedParameter
from providers.types import JsonObject, Target

_BY_BUDGET = re.compile(r"claude-(?:[123]\b|[a-z]+-4(?:-[0-5](?!\d)|-20\d{6}|@|$))")
"""Names of models that know a budget alone, as they are called at Anthropic, Bedrock and Vertex."""

LEAST = 1024
"""Tokens: a smaller budget is a 400."""
_BUDGETS = {"minimal": LEAST, "low": LEAST, "medium": 4096, "high": 16_384, "xhigh": 24_576, "max": 24_576}
"""Tokens to think with where nothing bounds the answer. Every model of these can write more than that."""
_ANSWERS_SHARE = 5
"""A cap holds for thoughts and words together: one of so many parts of it is left for the words."""


def is_by_budget(model: str) -> bool:
    """Whether a model knows a budget alone. One whose name tells nothing is taken for a newer one."""
    return _BY_BUDGET.search(model) is not None


def effort_of(fields: JsonObject) -> str | None:
    """Give the `reasoning_effort` that is asked for. Raises `RequestRejected` for one that is not known."""
    if "reasoning_effort" not in fields:
        return None
    effort = shape.text(fields["reasoning_effort"], "reasoning_effort")
    if effort != "none" and effort not in _BUDGETS:
        raise RequestRejected(
            f"`reasoning_effort` must be one of none, {', '.join(_BUDGETS)}.", param="reasoning_effort"
        )
    return effort


def budget(effort: str, cap: int | None, target: Target) -> int:
    """Give the tokens to think with, within the cap of the answer. Raises `UnsupportedParameter` where none fit."""
    if cap is None:
        return _BUDGETS[effort]
    if cap <= LEAST:
        raise UnsupportedParameter(
            f"`{target.name}` thinks with {LEAST} tokens or more, within `max_tokens`: raise that above {LEAST}, "
            "or leave `reasoning_effort` out.",
            param="reasoning_effort",
        )
    return min(_BUDGETS[effort], max(LEAST, cap - cap // _ANSWERS_SHARE))


def asked(fields: JsonObject, cap: int | None, target: Target) -> JsonObject:
    """Give what stands for `reasoning_effort`. Raises `RequestRejected`, `UnsupportedParameter`."""
    effort = effort_of(fields)
    if effort is None:
        return {}
    if effort == "none":
        return {"thinking": {"type": "disabled"}}
    if is_by_budget(target.model):
        return {"thinking": {"type": "enabled", "budget_tokens": budget(effort, cap, target)}}
    thinking = {} if "thinking" in fields else {"thinking": {"type": "adaptive"}}
    return {"output_config": {"effort": EFFORTS.get(effort, effort)}, **thinking}


EFFORTS = {"minimal": "low"}
"""OpenAI's words that Anthropic has another for."""
