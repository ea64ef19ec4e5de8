"""Well-known providers: one row each, data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from providers.types import Operation, Quirks

_CHAT = frozenset({Operation.CHAT})
_CHAT_EMBEDDINGS = frozenset({Operation.CHAT, Operation.EMBEDDINGS})
_WORDS = _CHAT_EMBEDDINGS | {Operation.COMPLETIONS}
_ALL = frozenset(Operation)
_HEARING = frozenset({Operation.TRANSCRIPTION, Operation.TRANSLATION})
_VIDEOS = frozenset(
    {Operation.VIDEO, Operation.VIDEO_STATUS, Operation.VIDEO_CONTENT, Operation.VIDEO_DELETE}
)
_JOBS = frozenset({Operation.VIDEO, Operation.VIDEO_STATUS})
"""Videos whose files are fetched from the URL that their status tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """What is known of a vendor or server before anybody configures it."""

    name: str
    base_url: str
    """Without a slash at its end; the dialect's paths follow it."""
    dialect: str = "openai"
    env: tuple[str, ...] = ()
    """The vendor's own variables for a credential; the first that is set counts."""
    base_url_env: tuple[str, ...] = ()
    """Variables that give the address of a server that runs anywhere; one that is set switches the row on."""
    key_required: bool = True
    """Whether it serves nobody without a credential."""
    allow_private: bool = False
    """Whether its address may be on this machine or in a private network."""
    patterns: tuple[str, ...] = ()
    """Model names it claims, as shell patterns."""
    example: str = ""
    """A model to show people what a call looks like."""
    quirks: Quirks = field(default_factory=Quirks)
    rename: Mapping[str, str] = field(default_factory=dict)
    """Request fields it spells otherwise: ours → theirs."""
    drop: frozenset[str] = frozenset()
    """Request fields it cannot take and whose absence changes nothing that the client sees."""
    headers: Mapping[str, str] = field(default_factory=dict)
    max_tokens: int | None = None
    """What to ask for where the dialect needs a number and the client gave none."""
    transport: Literal["http", "embedded"] = "http"
    operations: frozenset[Operation] = _ALL
    paths: Mapping[Operation, str] = field(default_factory=dict)
    """Operations that it has elsewhere than its dialect says."""


_OLD_TOKEN_CAP = MappingProxyType({"max_completion_tokens": "max_tokens"})

_ROWS = (
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
            "text-embedding-*",
            "davinci-*",
            "babbage-*",
            "ft:*",
            "dall-e-*",
            "tts-*",
            "whisper-*",
            "omni-moderation-*",
        ),
        quirks=Quirks(exact=True),  # the reference
        operations=_ALL - _VIDEOS - {Operation.RERANK},  # its videos ended in September 2026
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
        operations=_CHAT,
    ),
    Provider(
        name="xai",
        base_url="https://api.x.ai/v1",
        example="grok-4",
        env=("XAI_API_KEY",),
        patterns=("grok-*",),
        quirks=Quirks(
            reasoning_apart=True,  # completion_tokens are the visible ones
            image_ratio=True,  # `size` is a 400
            files_in_json=True,  # takes no forms
        ),
        operations=_WORDS | _JOBS | {Operation.IMAGE_GENERATION, Operation.IMAGE_EDIT},
        paths=MappingProxyType({Operation.VIDEO: "/videos/generations"}),
    ),
    Provider(
        name="blackbox",
        base_url="https://api.blackbox.ai",
        dialect="blackbox",
        env=("BLACKBOX_API_KEY",),
        patterns=("blackboxai/*",),
        quirks=Quirks(developer_role=False),  # documents `system` only
        rename=_OLD_TOKEN_CAP,
        operations=_CHAT | {Operation.IMAGE_GENERATION},
    ),
    Provider(
        name="openrouter",
        base_url="https://openrouter.ai/api/v1",
        example="openrouter/openai/gpt-4o-mini",
        env=("OPENROUTER_API_KEY",),
        patterns=("openrouter/*",),
        operations=_WORDS
        | _JOBS
        | {Operation.RERANK, Operation.IMAGE_GENERATION, Operation.SPEECH, Operation.TRANSCRIPTION},
        paths=MappingProxyType({Operation.IMAGE_GENERATION: "/images"}),
    ),
    Provider(
        name="mistral",
        base_url="https://api.mistral.ai/v1",
        example="mistral-small-latest",
        env=("MISTRAL_API_KEY",),
        patterns=(
            "mistral-*",
            "ministral-*",
            "magistral-*",
            "codestral*",
            "devstral-*",
            "pixtral-*",
            "voxtral-*",
            "open-mistral-*",
            "open-mixtral-*",
        ),
        quirks=Quirks(
            stream_usage=False,  # usage always comes; `stream_options` is a 422 on its older servers
            developer_role=False,  # an unknown role is a 422
            message_names=False,  # so is `name` on a message
            short_call_ids=True,  # other ids are its error 3280
        ),
        rename=MappingProxyType(
            {
                **_OLD_TOKEN_CAP,
                "seed": "random_seed",
                "dimensions": "output_dimension",
            }  # its schema is closed
        ),
        operations=_CHAT_EMBEDDINGS | {Operation.TRANSCRIPTION, Operation.MODERATION},
    ),
    Provider(
        name="groq",
        base_url="https://api.groq.com/openai/v1",
        example="groq/llama-3.1-8b-instant",
        env=("GROQ_API_KEY",),
        quirks=Quirks(
            developer_role=False,  # some of its models reject it
            message_names=False,  # 400 "property 'name' is unsupported"
        ),
        operations=_CHAT_EMBEDDINGS | _HEARING | {Operation.RERANK, Operation.SPEECH},
        paths=MappingProxyType({Operation.RERANK: "/reranking"}),
    ),
    Provider(
        name="deepseek",
        base_url="https://api.deepseek.com",
        example="deepseek-chat",
        env=("DEEPSEEK_API_KEY",),
        patterns=("deepseek-*",),
        quirks=Quirks(
            developer_role=False,  # not among its roles
            cache_hit_tokens=True,  # reports `prompt_cache_hit_tokens`
        ),
        rename=_OLD_TOKEN_CAP,
        operations=_CHAT,
    ),
    Provider(
        name="together",
        base_url="https://api.together.ai/v1",
        env=("TOGETHER_API_KEY",),
        patterns=("meta-llama/*", "togethercomputer/*"),
        quirks=Quirks(
            developer_role=False,  # not among its roles
            stop_list=True,  # its `stop` is an array
            logprobs_count=True,  # its `logprobs` is a number
            image_sides=True,  # takes `width` and `height`
        ),
        rename=_OLD_TOKEN_CAP,
        operations=_WORDS
        | _HEARING
        | _JOBS
        | {Operation.RERANK, Operation.IMAGE_GENERATION, Operation.SPEECH},
        drop=frozenset({"encoding_format"}),  # gives numbers only; the adapter makes base64 of them
    ),
    Provider(
        name="fireworks",
        base_url="https://api.fireworks.ai/inference/v1",
        env=("FIREWORKS_API_KEY",),
        patterns=("accounts/fireworks/*",),
        quirks=Quirks(developer_role=False),  # not among its roles
        operations=_WORDS | {Operation.RERANK},
        drop=frozenset({"encoding_format"}),  # gives numbers only; the adapter makes base64 of them
    ),
    Provider(
        name="cohere",
        base_url="https://api.cohere.com",
        example="command-a-03-2025",
        dialect="cohere",
        env=("COHERE_API_KEY", "CO_API_KEY"),
        patterns=("command-*", "c4ai-*", "embed-*-v*", "embed-v4*", "rerank-*"),
        quirks=Quirks(message_names=False),  # it has no such field, and agent frameworks fill it in always
        drop=frozenset({"user", "safety_identifier"}),  # they tell OpenAI who asks, and change no answer
        operations=frozenset({Operation.CHAT, Operation.EMBEDDINGS, Operation.RERANK}),
    ),
    Provider(
        name="ollama",
        base_url="http://127.0.0.1:11434/v1",
        example="ollama/llama3.2",
        env=("OLLAMA_API_KEY",),
        base_url_env=("OLLAMA_HOST",),
        key_required=False,
        allow_private=True,
        quirks=Quirks(developer_role=False),  # the role reaches the model's template, which knows `system`
        rename=_OLD_TOKEN_CAP,  # ignores the newer name
        operations=_WORDS | {Operation.IMAGE_GENERATION},
    ),
    Provider(
        name="vllm",
        base_url="http://127.0.0.1:8000/v1",
        env=("VLLM_API_KEY",),
        base_url_env=("VLLM_BASE_URL",),
        key_required=False,
        allow_private=True,
        quirks=Quirks(developer_role=False),  # the role reaches the model's template, which may not know it
        operations=_WORDS | {Operation.RERANK, Operation.TRANSCRIPTION},
    ),
    Provider(
        name="llamacpp",
        base_url="http://127.0.0.1:8080/v1",
        env=("LLAMA_API_KEY",),
        base_url_env=("LLAMACPP_BASE_URL",),
        key_required=False,
        allow_private=True,
        quirks=Quirks(developer_role=False),  # the role reaches the model's template, which may not know it
        operations=_WORDS | {Operation.RERANK, Operation.TRANSCRIPTION},
    ),
    Provider(
        name="echo",
        base_url="http://echo.invalid",
        example="echo",
        dialect="echo",
        key_required=False,
        allow_private=True,
        patterns=("echo", "echo-*"),
        transport="embedded",
    ),
)

CATALOG: Mapping[str, Provider] = MappingProxyType({row.name: row for row in _ROWS})
"""The rows by name, in the order in which their patterns are asked."""
