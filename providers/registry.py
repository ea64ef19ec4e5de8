"""The dialects: one line each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from providers.adapter import Adapter
from providers.anthropic import chat as anthropic_chat
from providers.anthropic.listing import MODELS as ANTHROPIC_MODELS
from providers.cohere import chat as cohere_chat
from providers.cohere import embeddings as cohere_embeddings
from providers.cohere import rerank as cohere_rerank
from providers.cohere.listing import MODELS as COHERE_MODELS
from providers.dialect import Dialect, Option
from providers.ollama import chat as ollama_chat
from providers.ollama import embeddings as ollama_embeddings
from providers.ollama.listing import MODELS as OLLAMA_MODELS
from providers.openai import chat, completions, embeddings
from providers.openai.listing import MODELS as OPENAI_MODELS
from providers.types import Operation

_OPENAI: Mapping[Operation, Adapter] = MappingProxyType(
    {Operation.CHAT: chat, Operation.COMPLETIONS: completions, Operation.EMBEDDINGS: embeddings}
)

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "openai": Dialect(_OPENAI, listing=OPENAI_MODELS),
        "anthropic": Dialect({Operation.CHAT: anthropic_chat}, listing=ANTHROPIC_MODELS),
        "cohere": Dialect(
            {
                Operation.CHAT: cohere_chat,
                Operation.EMBEDDINGS: cohere_embeddings,
                Operation.RERANK: cohere_rerank,
            },
            options={"input_type": Option(cohere_embeddings.DEFAULT_PURPOSE)},
            listing=COHERE_MODELS,
        ),
        "ollama": Dialect(
            {Operation.CHAT: ollama_chat, Operation.EMBEDDINGS: ollama_embeddings},
            stream_type=ollama_chat.STREAM_TYPE,
            listing=OLLAMA_MODELS,
        ),
        "echo": Dialect(_OPENAI),
    }
)
"""The dialects that a provider may name."""


def adapter_for(dialect: str, operation: Operation) -> Adapter | None:
    """Give the adapter, or None where the dialect is unknown or has no such operation."""
    known = DIALECTS.get(dialect)
    return None if known is None else known.adapters.get(operation)
