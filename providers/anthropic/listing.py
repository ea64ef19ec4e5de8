"""Anthropic's list of models (https://docs.anthropic.com/en/api/models-list)."""

from __future__ import annotations

from providers.anthropic.chat import VERSION
from providers.facts import ModelFacts
from providers.listing import Listing, behind, count
from providers.types import Json, JsonObject


def _item(item: JsonObject) -> tuple[Json, ModelFacts]:
    return item.get("id"), ModelFacts(count(item, "max_input_tokens"), count(item, "max_tokens"))


MODELS = Listing(
    behind("/v1/models?limit=1000"),  # by itself it gives twenty
    _item,
    {"anthropic-version": VERSION},
    lambda key: {"x-api-key": key.reveal()},
)
