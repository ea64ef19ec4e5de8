"""Well-known providers: one row each, data only."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from providers.catalog_row import (
    CHAT,
    CHAT_EMBEDDINGS,
    HEARING,
    HINTS,
    JOBS,
    LABELS,
    OLD_TOKEN_CAP,
    OPENAI_ONLY,
    VIDEOS,
    WORDS,
    Provider,
)
from providers.catalog_vendors import VENDORS
from providers.types import Operation, Quirks

__all__ = ["CATALOG", "Provider"]

_ROWS = (
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
            lacks=OPENAI_ONLY | {"deferred", "logit_bias"},
            image_ratio=True,  # `size` is a 400
            files_in_json=True,  # takes no forms
            video_duration=True,
            first_picture=(b'"image":{"url":', b"}"),
        ),
        drop=HINTS | LABELS - {"user"},  # it has no such fields
        operations=WORDS | JOBS | {Operation.IMAGE_GENERATION, Operation.IMAGE_EDIT},
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
        rename=OLD_TOKEN_CAP,
        drop=LABELS | HINTS,  # ignored there
        operations=CHAT | JOBS | {Operation.IMAGE_GENERATION},
    ),
    Provider(
        name="openrouter",
        base_url="https://openrouter.ai/api/v1",
        dialect="openrouter",
        example="openrouter/openai/gpt-4o-mini",
        env=("OPENROUTER_API_KEY",),
        patterns=("openrouter/*",),
        quirks=Quirks(lacks=frozenset({"n", "store"})),  # ignored there
        operations=WORDS
        | VIDEOS - {Operation.VIDEO_DELETE}
        | {Operation.RERANK, Operation.IMAGE_GENERATION, Operation.IMAGE_EDIT}
        | {Operation.SPEECH, Operation.TRANSCRIPTION},
    ),
    Provider(
        name="mistral",
        base_url="https://api.mistral.ai/v1",
        dialect="mistral",
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
            thinking_parts=True,  # its messages are closed, too
            # Its schema is closed: each of them is a 422.
            lacks=(OPENAI_ONLY - {"service_tier"}) | {"logit_bias", "web_search_options"},
            respell=MappingProxyType({"service_tier": {"default": "standard_only"}}),
        ),
        drop=LABELS - {"metadata"} | {"prompt_cache_options", "prompt_cache_retention"},  # the same
        rename=MappingProxyType(
            {
                **OLD_TOKEN_CAP,
                "seed": "random_seed",
                "dimensions": "output_dimension",
            }  # its schema is closed
        ),
        operations=CHAT_EMBEDDINGS | {Operation.SPEECH, Operation.TRANSCRIPTION, Operation.MODERATION},
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
            lacks=(OPENAI_ONLY - {"function_call", "functions", "service_tier"})
            | {"frequency_penalty", "logit_bias", "logprobs", "n", "presence_penalty", "top_logprobs"},
            respell=MappingProxyType({"service_tier": {"default": None}}),  # 400: it has tiers of its own
        ),
        drop=LABELS - {"user"} | HINTS,  # 400 "property '…' is unsupported"
        operations=CHAT_EMBEDDINGS | HEARING | {Operation.RERANK, Operation.SPEECH},
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
            lacks=OPENAI_ONLY | {"logit_bias", "n", "parallel_tool_calls", "seed"},  # ignored there
        ),
        rename=OLD_TOKEN_CAP,
        drop=LABELS | HINTS,  # ignored there
        operations=CHAT,
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
            lacks=OPENAI_ONLY | {"parallel_tool_calls"},  # ignored there
            image_sides=True,  # takes `width` and `height`
        ),
        rename=OLD_TOKEN_CAP,
        operations=WORDS | HEARING | JOBS | {Operation.RERANK, Operation.IMAGE_GENERATION, Operation.SPEECH},
        # `encoding_format`: it gives numbers only; the adapter makes base64 of them.
        drop=LABELS | HINTS | {"encoding_format"},
    ),
    Provider(
        name="fireworks",
        base_url="https://api.fireworks.ai/inference/v1",
        env=("FIREWORKS_API_KEY",),
        patterns=("accounts/fireworks/*",),
        quirks=Quirks(
            developer_role=False,  # not among its roles
            lacks=OPENAI_ONLY - {"function_call", "functions", "service_tier"},  # 400 "Extra inputs …"
        ),
        operations=WORDS | {Operation.RERANK},
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
            lacks=OPENAI_ONLY
            | {
                "logit_bias",
                "n",
                "parallel_tool_calls",
                "tool_choice",
                "web_search_options",
            },  # ignored there
        ),
        rename=OLD_TOKEN_CAP,  # ignores the newer name
        drop=LABELS | HINTS,  # ignored there
        operations=WORDS | {Operation.IMAGE_GENERATION},
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
            lacks=OPENAI_ONLY,  # ignored there
        ),
        operations=WORDS | {Operation.RERANK, Operation.TRANSCRIPTION},
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
            lacks=OPENAI_ONLY,  # ignored there
        ),
        operations=WORDS | {Operation.RERANK, Operation.TRANSCRIPTION},
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

CATALOG: Mapping[str, Provider] = MappingProxyType({row.name: row for row in (*VENDORS, *_ROWS)})
"""The rows by name, in the order in which their patterns are asked."""
