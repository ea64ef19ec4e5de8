"""The dialects: one line each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from providers.adapter import Adapter
from providers.anthropic import chat as anthropic_chat
from providers.dialect import Dialect
from providers.gemini import chat as gemini_chat
from providers.gemini import embeddings as gemini_embeddings
from providers.openai import chat, completions, embeddings
from providers.types import Operation
from providers.vertex import address as vertex_address
from providers.vertex import chat as vertex_chat
from providers.vertex import embeddings as vertex_embeddings

_OPENAI: Mapping[Operation, Adapter] = MappingProxyType(
    {Operation.CHAT: chat, Operation.COMPLETIONS: completions, Operation.EMBEDDINGS: embeddings}
)

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "openai": Dialect(_OPENAI),
        "anthropic": Dialect({Operation.CHAT: anthropic_chat}),
        "echo": Dialect(_OPENAI),
        "gemini": Dialect({Operation.CHAT: gemini_chat, Operation.EMBEDDINGS: gemini_embeddings}),
        "vertex": Dialect(
            {Operation.CHAT: vertex_chat, Operation.EMBEDDINGS: vertex_embeddings},
            vertex_address.OPTIONS,
            derived=vertex_address.host,
        ),
    }
)
"""The dialects that a provider may name."""


def adapter_for(dialect: str, operation: Operation) -> Adapter | None:
    """Give the adapter, or None where the dialect is unknown or has no such operation."""
    known = DIALECTS.get(dialect)
    return None if known is None else known.adapters.get(operation)
