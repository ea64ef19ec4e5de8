"""The dialects: one line each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from providers.adapter import Adapter
from providers.anthropic import chat as anthropic_chat
from providers.azure.adapter import Azure
from providers.azure.address import V1
from providers.azure.stream import opener
from providers.bedrock import chat as bedrock_chat
from providers.bedrock import embeddings as bedrock_embeddings
from providers.bedrock.address import EVENT_STREAM
from providers.dialect import Dialect, Option
from providers.openai import chat, completions, embeddings
from providers.openai.wire import CHAT, COMPLETIONS
from providers.types import Operation

_OPENAI: Mapping[Operation, Adapter] = MappingProxyType(
    {Operation.CHAT: chat, Operation.COMPLETIONS: completions, Operation.EMBEDDINGS: embeddings}
)

_AZURE: Mapping[Operation, Adapter] = MappingProxyType(
    {
        Operation.CHAT: Azure(chat, opener(CHAT)),
        Operation.COMPLETIONS: Azure(completions, opener(COMPLETIONS)),
        Operation.EMBEDDINGS: Azure(embeddings, embeddings.open_stream),
    }
)

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "openai": Dialect(_OPENAI),
        "anthropic": Dialect({Operation.CHAT: anthropic_chat}),
        "azure": Dialect(
            _AZURE,
            {
                "api_version": Option(V1, ("AZURE_OPENAI_API_VERSION", "OPENAI_API_VERSION")),
                "resource": Option(env=("AZURE_RESOURCE_NAME",), in_url_only=True),
            },
        ),
        "bedrock": Dialect(
            {Operation.CHAT: bedrock_chat, Operation.EMBEDDINGS: bedrock_embeddings},
            {"region": Option(env=("AWS_REGION", "AWS_DEFAULT_REGION"), in_url_only=True)},
            EVENT_STREAM,
        ),
        "echo": Dialect(_OPENAI),
    }
)
"""The dialects that a provider may name."""


def adapter_for(dialect: str, operation: Operation) -> Adapter | None:
    """Give the adapter, or None where the dialect is unknown or has no such operation."""
    known = DIALECTS.get(dialect)
    return None if known is None else known.adapters.get(operation)
