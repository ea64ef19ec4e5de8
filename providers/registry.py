"""The dialects: one line each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from providers.adapter import Adapter
from providers.anthropic import chat as anthropic_chat
from providers.anthropic.listing import MODELS as ANTHROPIC_MODELS
from providers.blackbox import image_generation as blackbox_images
from providers.cohere import chat as cohere_chat
from providers.cohere import embeddings as cohere_embeddings
from providers.cohere import rerank as cohere_rerank
from providers.cohere.listing import MODELS as COHERE_MODELS
from providers.dialect import Dialect, Option
from providers.ollama import chat as ollama_chat
from providers.ollama import embeddings as ollama_embeddings
from providers.ollama.listing import MODELS as OLLAMA_MODELS
from providers.openai import (
    chat,
    completions,
    embeddings,
    hearing,
    image_edit,
    image_generation,
    moderation,
    rerank,
    speech,
    videos,
)
from providers.openai.listing import MODELS as OPENAI_MODELS
from providers.types import Operation

_OPENAI: Mapping[Operation, Adapter] = MappingProxyType(
    {
        Operation.CHAT: chat,
        Operation.COMPLETIONS: completions,
        Operation.EMBEDDINGS: embeddings,
        Operation.RERANK: rerank.ADAPTER,
        Operation.IMAGE_GENERATION: image_generation.ADAPTER,
        Operation.IMAGE_EDIT: image_edit.ADAPTER,
        Operation.VIDEO: videos.SUBMIT,
        Operation.VIDEO_STATUS: videos.STATUS,
        Operation.VIDEO_CONTENT: videos.CONTENT,
        Operation.VIDEO_DELETE: videos.DELETE,
        Operation.SPEECH: speech.ADAPTER,
        Operation.TRANSCRIPTION: hearing.TRANSCRIPTION,
        Operation.TRANSLATION: hearing.TRANSLATION,
        Operation.MODERATION: moderation.ADAPTER,
    }
)

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "openai": Dialect(_OPENAI, listing=OPENAI_MODELS),
        "anthropic": Dialect({Operation.CHAT: anthropic_chat}, listing=ANTHROPIC_MODELS),
        "blackbox": Dialect(
            {Operation.CHAT: chat, Operation.IMAGE_GENERATION: blackbox_images.ADAPTER},
            listing=OPENAI_MODELS,
        ),
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
