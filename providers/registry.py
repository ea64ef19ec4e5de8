"""The dialects: one line each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from providers.adapter import Adapter
from providers.anthropic import chat as anthropic_chat
from providers.anthropic.listing import MODELS as ANTHROPIC_MODELS
from providers.azure.adapter import Azure
from providers.azure.address import V1
from providers.azure.listing import MODELS as AZURE_MODELS
from providers.azure.stream import opener
from providers.bedrock import chat as bedrock_chat
from providers.bedrock import embeddings as bedrock_embeddings
from providers.bedrock.address import EVENT_STREAM
from providers.bedrock.listing import MODELS as BEDROCK_MODELS
from providers.blackbox import image_generation as blackbox_images
from providers.blackbox import videos as blackbox_videos
from providers.cohere import chat as cohere_chat
from providers.cohere import embeddings as cohere_embeddings
from providers.cohere import rerank as cohere_rerank
from providers.cohere.listing import MODELS as COHERE_MODELS
from providers.dialect import Dialect, Option
from providers.gemini import chat as gemini_chat
from providers.gemini import embeddings as gemini_embeddings
from providers.gemini import images as gemini_images
from providers.gemini import videos as gemini_videos
from providers.gemini.listing import MODELS as GEMINI_MODELS
from providers.mistral import speech as mistral_speech
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
from providers.openai.wire import CHAT, COMPLETIONS
from providers.openrouter import images as openrouter_images
from providers.openrouter import sound as openrouter_sound
from providers.openrouter import videos as openrouter_videos
from providers.perplexity import chat as perplexity_chat
from providers.perplexity import embeddings as perplexity_embeddings
from providers.responses import chat as responses_chat
from providers.types import Operation
from providers.vertex import address as vertex_address
from providers.vertex import chat as vertex_chat
from providers.vertex import embeddings as vertex_embeddings
from providers.vertex import images as vertex_images
from providers.vertex import videos as vertex_videos
from providers.vertex.listing import MODELS as VERTEX_MODELS

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

_AZURE: Mapping[Operation, Adapter] = MappingProxyType(
    {
        Operation.CHAT: Azure(chat, opener(CHAT)),
        Operation.COMPLETIONS: Azure(completions, opener(COMPLETIONS)),
        Operation.EMBEDDINGS: Azure(embeddings, embeddings.open_stream),
        Operation.IMAGE_GENERATION: Azure(image_generation.ADAPTER, image_generation.ADAPTER.open_stream),
        Operation.IMAGE_EDIT: Azure(image_edit.ADAPTER, image_edit.ADAPTER.open_stream),
        Operation.SPEECH: Azure(speech.ADAPTER, speech.ADAPTER.open_stream),
        Operation.TRANSCRIPTION: Azure(hearing.TRANSCRIPTION, hearing.TRANSCRIPTION.open_stream),
        Operation.TRANSLATION: Azure(hearing.TRANSLATION, hearing.TRANSLATION.open_stream),
    }
)

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "openai": Dialect(_OPENAI, listing=OPENAI_MODELS),
        "anthropic": Dialect({Operation.CHAT: anthropic_chat}, listing=ANTHROPIC_MODELS),
        "blackbox": Dialect(
            {
                Operation.CHAT: chat,
                Operation.IMAGE_GENERATION: blackbox_images.ADAPTER,
                Operation.VIDEO: blackbox_videos.SUBMIT,
                Operation.VIDEO_STATUS: blackbox_videos.STATUS,
            },
            listing=OPENAI_MODELS,
        ),
        "mistral": Dialect({**_OPENAI, Operation.SPEECH: mistral_speech.ADAPTER}, listing=OPENAI_MODELS),
        "openrouter": Dialect(
            {
                **_OPENAI,
                Operation.IMAGE_GENERATION: openrouter_images.GENERATION,
                Operation.IMAGE_EDIT: openrouter_images.EDIT,
                Operation.VIDEO: openrouter_videos.SUBMIT,
                Operation.VIDEO_CONTENT: openrouter_videos.CONTENT,
                Operation.SPEECH: openrouter_sound.SPEECH,
                Operation.TRANSCRIPTION: openrouter_sound.TRANSCRIPTION,
            },
            listing=OPENAI_MODELS,
        ),
        "responses": Dialect({**_OPENAI, Operation.CHAT: responses_chat.CHAT}, listing=OPENAI_MODELS),
        "perplexity": Dialect(
            {Operation.CHAT: perplexity_chat.CHAT, Operation.EMBEDDINGS: perplexity_embeddings},
            perplexity_chat.OPTIONS,
            listing=OPENAI_MODELS,
        ),
        "azure": Dialect(
            _AZURE,
            {
                "api_version": Option(V1, ("AZURE_OPENAI_API_VERSION", "OPENAI_API_VERSION")),
                "resource": Option(env=("AZURE_RESOURCE_NAME",), in_url_only=True),
            },
            listing=AZURE_MODELS,
        ),
        "bedrock": Dialect(
            {Operation.CHAT: bedrock_chat, Operation.EMBEDDINGS: bedrock_embeddings},
            {"region": Option(env=("AWS_REGION", "AWS_DEFAULT_REGION"), in_url_only=True)},
            EVENT_STREAM,
            listing=BEDROCK_MODELS,
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
        "gemini": Dialect(
            {
                Operation.CHAT: gemini_chat,
                Operation.EMBEDDINGS: gemini_embeddings,
                Operation.IMAGE_GENERATION: gemini_images.ADAPTER,
                Operation.VIDEO: gemini_videos.SUBMIT,
                Operation.VIDEO_STATUS: gemini_videos.STATUS,
                Operation.VIDEO_CONTENT: gemini_videos.CONTENT,
            },
            listing=GEMINI_MODELS,
        ),
        "vertex": Dialect(
            {
                Operation.CHAT: vertex_chat,
                Operation.EMBEDDINGS: vertex_embeddings,
                Operation.IMAGE_GENERATION: vertex_images.ADAPTER,
                Operation.VIDEO: vertex_videos.SUBMIT,
                Operation.VIDEO_STATUS: vertex_videos.STATUS,
                Operation.VIDEO_CONTENT: vertex_videos.CONTENT,
            },
            vertex_address.OPTIONS,
            derived=vertex_address.host,
            listing=VERTEX_MODELS,
        ),
    }
)
"""The dialects that a provider may name."""


def adapter_for(dialect: str, operation: Operation) -> Adapter | None:
    """Give the adapter, or None where the dialect is unknown or has no such operation."""
    known = DIALECTS.get(dialect)
    return None if known is None else known.adapters.get(operation)
