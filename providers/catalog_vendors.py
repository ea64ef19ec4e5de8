"""The vendors whose dialects the others are measured by, or that have one of their own."""

from __future__ import annotations

from types import MappingProxyType

from providers.catalog_row import ALL, CHAT, CHAT_EMBEDDINGS, HEARING, VIDEOS, WORDS, Provider
from providers.types import Operation, Quirks

VENDORS = (
    Provider(
        name="openai",
        base_url="https://api.openai.com/v1",
        example="gpt-4o-mini",
        env=("OPENAI_API_KEY",),
        patterns=(
            "gpt-*",
            "o1*",
            "o3*",
            "o4*",
            "chatgpt-*",
            "codex-*",
            "computer-use-*",
            "text-embedding-*",
            "davinci-*",
            "babbage-*",
            "ft:*",
            "dall-e-*",
            "tts-*",
            "whisper-*",
            "omni-moderation-*",
        ),
        dialects=MappingProxyType(
            # Models that chat completions refuse with "only supported in v1/responses".
            dict.fromkeys(
                ("*-pro", "*-pro-20*", "gpt-*-codex*", "codex-*", "*-deep-research*", "computer-use-*"),
                "responses",
            )
        ),
        quirks=Quirks(exact=True),  # the reference
        operations=ALL - VIDEOS - {Operation.RERANK},  # its videos ended in September 2026
    ),
    Provider(
        name="anthropic",
        base_url="https://api.anthropic.com",
        example="claude-haiku-4-5",
        dialect="anthropic",
        env=("ANTHROPIC_API_KEY",),
        patterns=("claude-*",),
        quirks=Quirks(message_names=False),  # it has no such field, and agent frameworks fill it in always
        max_tokens=4096,  # `max_tokens` is required there; every model takes this many
        operations=CHAT,
    ),
    Provider(
        name="azure",
        base_url="https://{resource}.openai.azure.com",
        dialect="azure",
        env=("AZURE_OPENAI_API_KEY",),
        base_url_env=("AZURE_OPENAI_ENDPOINT",),
        # Models are named as their deployments, which can be anything: it claims no names.
        operations=WORDS | HEARING | {Operation.IMAGE_GENERATION, Operation.IMAGE_EDIT, Operation.SPEECH},
    ),
    Provider(
        name="bedrock",
        base_url="https://bedrock-runtime.{region}.amazonaws.com",
        dialect="bedrock",
        env=("AWS_BEARER_TOKEN_BEDROCK",),
        patterns=(
            *(
                "ai21.*",
                "amazon.*",
                "anthropic.*",
                "cohere.*",
                "deepseek.*",
                "meta.*",
                "mistral.*",
                "openai.*",
            ),
            *("qwen.*", "writer.*", "arn:aws*:bedrock:*"),
            # Profiles that spread calls over regions.
            *("apac.*", "au.*", "ca.*", "eu.*", "global.*", "jp.*", "us.*", "us-gov.*"),
        ),
        quirks=Quirks(message_names=False),  # it has no such field, and agent frameworks fill it in always
        operations=CHAT_EMBEDDINGS,
    ),
    Provider(
        name="gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta",
        example="gemini-2.5-flash",
        dialect="gemini",
        env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        patterns=("gemini-*", "gemma-*", "imagen-*", "veo-*"),
        quirks=Quirks(message_names=False),  # it has no such field, and agent frameworks fill it in always
        operations=CHAT_EMBEDDINGS | VIDEOS - {Operation.VIDEO_DELETE} | {Operation.IMAGE_GENERATION},
    ),
    Provider(
        name="vertex",
        base_url="https://{host}/v1",
        example="vertex/gemini-2.5-flash",
        dialect="vertex",
        env=("CLOUDSDK_AUTH_ACCESS_TOKEN",),
        auth="google",
        quirks=Quirks(message_names=False),  # neither of its dialects has such a field
        max_tokens=4096,  # as for Anthropic, whose models it has too
        operations=CHAT_EMBEDDINGS | VIDEOS - {Operation.VIDEO_DELETE} | {Operation.IMAGE_GENERATION},
    ),
    Provider(
        name="perplexity",
        base_url="https://api.perplexity.ai/v1",
        example="sonar",
        dialect="perplexity",
        env=("PERPLEXITY_API_KEY",),
        patterns=("sonar", "sonar-*", "pplx-embed-*"),
        quirks=Quirks(message_names=False),  # it has no such field, and agent frameworks fill it in always
        drop=frozenset({"user", "metadata", "safety_identifier"}),  # it has no such fields
        operations=CHAT_EMBEDDINGS,
    ),
)
