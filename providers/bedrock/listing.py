"""Bedrock's list of models (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html)."""

from __future__ import annotations

from providers.facts import ModelFacts
from providers.listing import Listing, words
from providers.types import Json, JsonObject, Target

_OURS = {"SPEECH": "audio"}


def _url(target: Target) -> str:
    # Another host has it.
    return f"{target.base_url.replace('bedrock-runtime', 'bedrock', 1)}/foundation-models"


def _item(item: JsonObject) -> tuple[Json, ModelFacts]:
    inputs, outputs = _ours(words(item, "inputModalities")), _ours(words(item, "outputModalities"))
    if inputs and outputs and "text" in outputs:
        # Of documents, which Converse takes for those that answer in words, it says nothing.
        inputs |= {"file"}
    return item.get("modelId"), ModelFacts(inputs=inputs, outputs=outputs)


def _ours(given: frozenset[str] | None) -> frozenset[str] | None:
    return given and frozenset(_OURS.get(each, each.lower()) for each in given)


MODELS = Listing(_url, _item)
