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
    auth: Literal["key", "aws", "google", "entra"] = "key"
    """What it is shown where no key is given: none, or what is made in its place."""
    base_url_env: tuple[str, ...] = ()
    """Variables that give the address of a server that runs anywhere; one that is set switches the row on."""
    key_required: bool = True
    """Whether it serves nobody without a credential."""
    allow_private: bool = False
    """Whether its address may be on this machine or in a private network."""
    dialects: Mapping[str, str] = field(default_factory=dict)
    """Models that it speaks another dialect for: pattern → dialect; the first that fits counts."""
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


_LABELS = frozenset({"metadata", "safety_identifier", "user"})
"""What OpenAI keeps beside a call: nothing in the answer depends on it."""
_HINTS = frozenset({"prediction", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"})
"""What makes an answer sooner or cheaper, and no other."""
_OPENAI_ONLY = frozenset(
    {"audio", "function_call", "functions", "modalities", "service_tier", "store", "verbosity"}
)
"""Chat fields that hardly anybody else has."""
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
        name="azure",
        base_url="https://{resource}.openai.azure.com",
        dialect="azure",
        env=("AZURE_OPENAI_API_KEY",),
        base_url_env=("AZURE_OPENAI_ENDPOINT",),
        # Models are named as their deployments, which can be anything: it claims no names.
        operations=_WORDS | _HEARING | {Operation.IMAGE_GENERATION, Operation.IMAGE_EDIT, Operation.SPEECH},
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
        operations=_CHAT_EMBEDDINGS,
    ),
    Provider(
        name="gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta",
        example="gemini-2.5-flash",
        dialect="gemini",
        env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        patterns=("gemini-*", "gemma-*"),
        quirks=Quirks(message_names=False),  # it has no such field, and agent frameworks fill it in always
        operations=_CHAT_EMBEDDINGS,
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
        operations=_CHAT_EMBEDDINGS,
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
        operations=_CHAT_EMBEDDINGS,
    ),
    Provider(
        name="xai",
        base_url="https://api.x.ai/v1",
        example="grok-4",
        env=("XAI_API_KEY",),
        patterns=("grok-*",),
        quirks=Quirks(
            reasoning_apart=True,  # completion_tokens are the visible ones
            stop_list=True,  # its `stop` is an array
            cache_key_header="x-grok-conv-id",  # pins a server that has the prompt in its cache
            # A deferred answer has to be asked for later, which no chat client does.
            lacks=_OPENAI_ONLY | {"deferred", "logit_bias"},
            image_ratio=True,  # `size` is a 400
            files_in_json=True,  # takes no forms
        ),
        drop=_HINTS | _LABELS - {"user"},  # it has no such fields
        operations=_WORDS | _JOBS | {Operation.IMAGE_GENERATION, Operation.IMAGE_EDIT},
        paths=MappingProxyType({Operation.VIDEO: "/videos/generations"}),
    ),
    Provider(
        name="blackbox",
        base_url="https://api.blackbox.ai",
        dialect="blackbox",
        env=("BLACKBOX_API_KEY",),
        patterns=("blackboxai/*",),
        quirks=Quirks(
            developer_role=False,  # documents `system` only
            lacks=frozenset({"n", "reasoning_effort", "service_tier", "store"}),  # ignored there
        ),
        rename=_OLD_TOKEN_CAP,
        drop=_LABELS | _HINTS,  # ignored there
        operations=_CHAT | {Operation.IMAGE_GENERATION},
    ),
    Provider(
        name="openrouter",
        base_url="https://openrouter.ai/api/v1",
        example="openrouter/openai/gpt-4o-mini",
        env=("OPENROUTER_API_KEY",),
        patterns=("openrouter/*",),
        quirks=Quirks(lacks=frozenset({"n", "store"})),  # ignored there
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
            document_parts=True,  # its `file` is one that was uploaded there
            # Its schema is closed: each of them is a 422.
            lacks=(_OPENAI_ONLY - {"service_tier"}) | {"logit_bias", "web_search_options"},
            respell=MappingProxyType({"service_tier": {"default": "standard_only"}}),
        ),
        drop=_LABELS - {"metadata"} | {"prompt_cache_options", "prompt_cache_retention"},  # the same
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
            # Refused there, or ignored: the penalties.
            lacks=(_OPENAI_ONLY - {"function_call", "functions", "service_tier"})
            | {"frequency_penalty", "logit_bias", "logprobs", "n", "presence_penalty", "top_logprobs"},
            respell=MappingProxyType({"service_tier": {"default": None}}),  # 400: it has tiers of its own
        ),
        drop=_LABELS - {"user"} | _HINTS,  # 400 "property '…' is unsupported"
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
            text_parts=False,  # its content is a string
            thinking_switch=True,  # its efforts begin at `high`
            lacks=_OPENAI_ONLY | {"logit_bias", "n", "parallel_tool_calls", "seed"},  # ignored there
        ),
        rename=_OLD_TOKEN_CAP,
        drop=_LABELS | _HINTS,  # ignored there
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
            lacks=_OPENAI_ONLY | {"parallel_tool_calls"},  # ignored there
            image_sides=True,  # takes `width` and `height`
        ),
        rename=_OLD_TOKEN_CAP,
        operations=_WORDS
        | _HEARING
        | _JOBS
        | {Operation.RERANK, Operation.IMAGE_GENERATION, Operation.SPEECH},
        # `encoding_format`: it gives numbers only; the adapter makes base64 of them.
        drop=_LABELS | _HINTS | {"encoding_format"},
    ),
    Provider(
        name="fireworks",
        base_url="https://api.fireworks.ai/inference/v1",
        env=("FIREWORKS_API_KEY",),
        patterns=("accounts/fireworks/*",),
        quirks=Quirks(
            developer_role=False,  # not among its roles
            lacks=_OPENAI_ONLY - {"function_call", "functions", "service_tier"},  # 400 "Extra inputs …"
        ),
        operations=_WORDS | {Operation.RERANK},
        # `encoding_format`: it gives numbers only; the adapter makes base64 of them.
        drop=frozenset(
            {"encoding_format", "prompt_cache_options", "prompt_cache_retention", "safety_identifier"}
        ),
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
        quirks=Quirks(
            developer_role=False,  # the role reaches the model's template, which knows `system`
            lacks=_OPENAI_ONLY
            | {
                "logit_bias",
                "n",
                "parallel_tool_calls",
                "tool_choice",
                "web_search_options",
            },  # ignored there
        ),
        rename=_OLD_TOKEN_CAP,  # ignores the newer name
        drop=_LABELS | _HINTS,  # ignored there
        operations=_WORDS | {Operation.IMAGE_GENERATION},
    ),
    Provider(
        name="vllm",
        base_url="http://127.0.0.1:8000/v1",
        env=("VLLM_API_KEY",),
        base_url_env=("VLLM_BASE_URL",),
        key_required=False,
        allow_private=True,
        quirks=Quirks(
            developer_role=False,  # the role reaches the model's template, which may not know it
            lacks=_OPENAI_ONLY,  # ignored there
        ),
        operations=_WORDS | {Operation.RERANK, Operation.TRANSCRIPTION},
    ),
    Provider(
        name="llamacpp",
        base_url="http://127.0.0.1:8080/v1",
        env=("LLAMA_API_KEY",),
        base_url_env=("LLAMACPP_BASE_URL",),
        key_required=False,
        allow_private=True,
        quirks=Quirks(
            developer_role=False,  # the role reaches the model's template, which may not know it
            lacks=_OPENAI_ONLY,  # ignored there
        ),
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
