"""Dialect and operation → adapter. One table."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from providers.adapter import Adapter
from providers.anthropic import chat as anthropic_chat
from providers.openai import chat, completions, embeddings
from providers.types import Operation

_OPENAI: Mapping[Operation, Adapter] = MappingProxyType(
    {Operation.CHAT: chat, Operation.COMPLETIONS: completions, Operation.EMBEDDINGS: embeddings}
)

_ADAPTERS: Mapping[str, Mapping[Operation, Adapter]] = MappingProxyType(
    {
        "openai": _OPENAI,
        "anthropic": MappingProxyType({Operation.CHAT: anthropic_chat}),
        "echo": _OPENAI,
    }
)

DIALECTS = frozenset(_ADAPTERS)
"""The dialects that a provider may name."""


def adapter_for(dialect: str, operation: Operation) -> Adapter | None:
    """Give the adapter, or None where the dialect is unknown or has no such operation."""
    return _ADAPTERS.get(dialect, {}).get(operation)
