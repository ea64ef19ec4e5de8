"""Ollama's list of models that it has at hand (https://docs.ollama.com/api/tags). It says no more than the names."""

from __future__ import annotations

from providers.facts import NOTHING, ModelFacts
from providers.listing import Listing
from providers.ollama.address import root_of
from providers.types import Json, JsonObject


def _item(item: JsonObject) -> tuple[Json, ModelFacts]:
    name = item.get("model") or item.get("name")
    # A name without a tag means this one.
    return name.removesuffix(":latest") if isinstance(name, str) else name, NOTHING


MODELS = Listing(lambda target: f"{root_of(target.base_url)}/api/tags", _item)
