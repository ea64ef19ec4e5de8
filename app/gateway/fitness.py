"""Does a call fit a model, as far as is known? Pure, but for what is known of models.

A target is passed over only when its provider would surely refuse: a prompt is measured by the
least number of tokens that any tokenizer makes of it, and a window that neither the configuration
nor the provider tells of is taken for twice as large, since what is published may be out of date.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from app.gateway.balance import Ask
from app.gateway.knowledge import Knowledge
from providers.types import Call, Json, Operation

TOO_LONG = "context_length_exceeded"
NO_SUCH_INPUT = "unsupported_input"
NO_SUCH_OUTPUT = "unsupported_output"

SMALL = 2_000
"""Tokens, as estimated. No window is smaller than what such a prompt surely has: it is not looked at."""
PUBLISHED_MAY_LACK = 2
"""How much larger a window may be than what is published of it."""

_PARTS: Mapping[str, str] = {
    "image_url": "image",
    "image": "image",
    "input_image": "image",
    "input_audio": "audio",
    "video_url": "video",
}
_SAID = frozenset({"text", "image", "audio", "video"})
_GIVEN: Mapping[Operation, frozenset[str]] = {
    # Any of these is what the operation is for, as providers call it.
    Operation.CHAT: _SAID,
    Operation.COMPLETIONS: _SAID,
    Operation.EMBEDDINGS: frozenset({"embedding", "embeddings"}),
    Operation.IMAGE_GENERATION: frozenset({"image"}),
}
_TEXTS = ("messages", "prompt", "input", "system")


class Misfit(NamedTuple):
    """Why a model cannot take a call."""

    code: str
    reason: str
    """For people, behind the name of the target."""


class Fits(Protocol):
    """Judges whether a model can take a call."""

    def misfit(self, provider: str, model: str, ask: Ask) -> Misfit | None:
        """Say why it cannot; None: it can, for all that is known."""
        ...


class FitsAll:
    """Knows of no model that it could not take a call."""

    def misfit(self, _provider: str, _model: str, _ask: Ask) -> Misfit | None:
        """Give nothing."""
        return None


class Fitness:
    """Judges by what is known of models."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge

    def misfit(self, provider: str, model: str, ask: Ask) -> Misfit | None:
        """Say why a model cannot take a call; None: it can, for all that is known."""
        facts, first_hand = self._knowledge.of(provider, model)
        if facts.inputs is not None and (foreign := media(ask.call) - facts.inputs):
            return Misfit(NO_SUCH_INPUT, f"takes no {' and no '.join(sorted(foreign))}")
        if facts.outputs and facts.outputs.isdisjoint(_GIVEN.get(ask.call.operation, facts.outputs)):
            given = " and ".join(sorted(facts.outputs))
            return Misfit(NO_SUCH_OUTPUT, f"gives {given}, which is not what {ask.call.operation} is for")
        estimate = ask.forecast.input_tokens
        if facts.context_window is None or estimate <= SMALL:
            return None
        window = first_hand.context_window or facts.context_window * PUBLISHED_MAY_LACK
        # The estimate is above what is sure, nearly always: where it fits, nothing is counted.
        if estimate <= window or (least := least_tokens(ask.call)) <= window:
            return None
        return Misfit(
            TOO_LONG,
            f"has a context window of {facts.context_window} tokens, and the prompt has more than {least}",
        )


def media(call: Call) -> set[str]:
    """Give what a call brings beside text, as far as facts speak of it. Total."""
    if call.operation is not Operation.CHAT:
        return set()
    messages = call.body.get("messages")
    found: set[str] = set()
    # Plain loops: every call passes here.
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            found.update(_PARTS[kind] for kind in _kinds(content) if kind in _PARTS)
    return found


def least_tokens(call: Call) -> int:
    """Give a number of tokens that the prompt has at least: its words, of which no tokenizer joins two. Total."""
    words = 0
    pending: list[Json] = [call.body.get(field) for field in _TEXTS]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            words += len(item.split())
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            # Nothing else of a message or a part is sure to reach the model as it is.
            pending.extend(item.get(name) for name in ("content", "text"))
        elif isinstance(item, int) and not isinstance(item, bool):
            words += 1
    return words


def _kinds(parts: Iterable[Json]) -> Iterator[str]:
    kinds = (part.get("type") for part in parts if isinstance(part, dict))
    return (kind for kind in kinds if isinstance(kind, str))
