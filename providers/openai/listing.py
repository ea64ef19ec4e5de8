"""The list of models of OpenAI (https://platform.openai.com/docs/api-reference/models/list) and of those like it.

OpenAI itself says nothing but the names. What others add: https://openrouter.ai/docs/api-reference/list-available-models,
https://console.groq.com/docs/api-reference#models, https://docs.mistral.ai/api/#tag/models,
https://docs.together.ai/reference/models, https://docs.fireworks.ai, and vLLM's `max_model_len`.
"""

from __future__ import annotations

from providers.facts import ModelFacts
from providers.listing import Listing, behind, count, pictures, switches, words
from providers.types import Json, JsonObject

_SWITCHES = {
    "capabilities.vision": "image",
    "supports_image_input": "image",
    "capabilities.function_calling": "tools",
    "supports_tools": "tools",
}
_PARAMETERS = {"tools": "tools", "reasoning": "reasoning", "structured_outputs": "structured_output"}
_KINDS = {"embedding": "embedding", "rerank": "ranking", "image": "image"}


def _item(item: JsonObject) -> tuple[Json, ModelFacts]:
    said = switches(item, _SWITCHES)
    sees = said.pop("image", None)
    kind = _KINDS.get(str(item.get("type")))
    facts = ModelFacts(
        context_window=count(
            item,
            "context_length",
            "context_window",
            "max_context_length",
            "max_model_len",
            "meta.n_ctx_train",
        ),
        max_output=count(
            item, "top_provider.max_completion_tokens", "max_completion_tokens", "max_output_tokens"
        ),
        inputs=words(item, "architecture.input_modalities", "input_modalities") or pictures(sees=sees),
        outputs=words(item, "architecture.output_modalities", "output_modalities")
        or (frozenset({kind}) if kind else None),
        capabilities=_capabilities(item, said),
    )
    return item.get("id"), facts


def _capabilities(item: JsonObject, said: dict[str, bool]) -> frozenset[str] | None:
    parameters = words(item, "supported_parameters")
    if parameters is not None:
        return frozenset(word for name, word in _PARAMETERS.items() if name in parameters)
    return frozenset(word for word, holds in said.items() if holds) if said else None


MODELS = Listing(behind("/models"), _item)
