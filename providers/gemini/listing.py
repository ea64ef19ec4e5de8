"""Gemini's list of models (https://ai.google.dev/api/models#method:-models.list)."""

from __future__ import annotations

from providers.facts import ModelFacts
from providers.listing import Listing, behind, count, words
from providers.types import Json, JsonObject

_ANSWERS = frozenset({"generateContent", "bidiGenerateContent", "predict", "predictLongRunning"})


def _item(item: JsonObject) -> tuple[Json, ModelFacts]:
    name = item.get("name")
    methods = words(item, "supportedGenerationMethods")
    facts = ModelFacts(
        count(item, "inputTokenLimit"),
        count(item, "outputTokenLimit"),
        # Of one that answers it does not say whether in words alone.
        outputs=frozenset({"embedding"}) if methods and not methods & _ANSWERS else None,
        capabilities=frozenset({"reasoning"}) if item.get("thinking") is True else None,
    )
    return name.removeprefix("models/") if isinstance(name, str) else name, facts


MODELS = Listing(
    behind("/models?pageSize=1000"),  # by itself it gives fifty
    _item,
    authorize=lambda key: {"x-goog-api-key": key.reveal()},
)
