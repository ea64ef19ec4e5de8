"""Cohere's list of models (https://docs.cohere.com/reference/list-models)."""

from __future__ import annotations

from providers.facts import ModelFacts
from providers.listing import Listing, behind, count, pictures, switches, words
from providers.types import Json, JsonObject

_GIVES = {"chat": "text", "embed": "embedding", "rerank": "ranking"}
_CAN = {"tools": "tools", "json_schema": "structured_output", "reasoning": "reasoning"}


def _item(item: JsonObject) -> tuple[Json, ModelFacts]:
    endpoints, features = words(item, "endpoints"), words(item, "features")
    sees = switches(item, {"supports_vision": "image"}).get("image")
    facts = ModelFacts(
        context_window=count(item, "context_length"),
        # Only of those that answer in words does it say whether they see.
        inputs=pictures(sees=sees) if endpoints and "chat" in endpoints else None,
        outputs=endpoints and frozenset(_GIVES[each] for each in endpoints if each in _GIVES),
        capabilities=features and frozenset(_CAN[each] for each in features if each in _CAN),
    )
    return item.get("name"), facts


MODELS = Listing(behind("/v1/models?page_size=1000"), _item)
