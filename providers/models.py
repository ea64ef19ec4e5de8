"""Well-known models: one row each, data only. A canonical name, and what the model is called at each provider.

Sources of names and facts: the vendors' lists of models (platform.openai.com/docs/models,
docs.anthropic.com/en/docs/about-claude/models, ai.google.dev/gemini-api/docs/models, docs.x.ai/docs/models,
api-docs.deepseek.com), those of Bedrock and Vertex for what they resell, and openrouter.ai/models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from providers.facts import ModelFacts


@dataclass(frozen=True, slots=True)
class Model:
    """One model."""

    name: str
    ids: Mapping[str, str]
    """Provider of the catalogue → what it calls the model."""
    facts: ModelFacts


_TOOLS = frozenset({"tools", "structured_output"})
_THINKS = frozenset({"tools", "structured_output", "reasoning"})
_TEXT = frozenset({"text"})
_SEES = frozenset({"text", "image"})
_READS = frozenset({"text", "image", "file"})
_HEARS = frozenset({"text", "image", "audio", "video", "file"})


def _row(
    name: str,
    window: int,
    output: int,
    inputs: frozenset[str],
    capabilities: frozenset[str],
    /,
    **ids: str,
) -> Model:
    return Model(name, MappingProxyType(ids), ModelFacts(window, output, inputs, _TEXT, capabilities))


def _claude(name: str, dated: str, window: int, output: int) -> Model:
    """Give a Claude: dots for the minor version at OpenRouter, a date behind it at Bedrock and Vertex."""
    stem, _, minor = name.rpartition("-")
    return _row(
        *(name, window, output, _READS, _THINKS),
        anthropic=name,
        bedrock=f"global.anthropic.{name}-{dated}-v1:0",
        vertex=f"{name}@{dated}",
        openrouter=f"anthropic/{stem}.{minor}",
    )


def _openai(name: str, window: int, output: int, capabilities: frozenset[str] = _TOOLS) -> Model:
    return _row(*(name, window, output, _READS, capabilities), openai=name, openrouter=f"openai/{name}")


def _gemini(name: str) -> Model:
    return _row(
        *(name, 1_048_576, 65_536, _HEARS, _THINKS),
        gemini=name,
        vertex=name,
        openrouter=f"google/{name}",
    )


_ROWS = (
    _openai("gpt-4o", 128_000, 16_384),
    _openai("gpt-4o-mini", 128_000, 16_384),
    _openai("gpt-4.1", 1_047_576, 32_768),
    _openai("gpt-4.1-mini", 1_047_576, 32_768),
    _openai("gpt-4.1-nano", 1_047_576, 32_768),
    _openai("gpt-5", 400_000, 128_000, _THINKS),
    _openai("gpt-5-mini", 400_000, 128_000, _THINKS),
    _openai("gpt-5-nano", 400_000, 128_000, _THINKS),
    _openai("o3", 200_000, 100_000, _THINKS),
    _openai("o4-mini", 200_000, 100_000, _THINKS),
    _row("o3-mini", 200_000, 100_000, _TEXT, _THINKS, openai="o3-mini", openrouter="openai/o3-mini"),
    _row(
        "gpt-3.5-turbo",
        16_385,
        4_096,
        _TEXT,
        _TOOLS,
        openai="gpt-3.5-turbo",
        openrouter="openai/gpt-3.5-turbo",
    ),
    _claude("claude-haiku-4-5", "20251001", 200_000, 64_000),
    _claude("claude-sonnet-4-5", "20250929", 200_000, 64_000),
    _claude("claude-opus-4-5", "20251101", 200_000, 64_000),
    _gemini("gemini-2.5-pro"),
    _gemini("gemini-2.5-flash"),
    _gemini("gemini-2.5-flash-lite"),
    _row("grok-4", 256_000, 256_000, _SEES, _THINKS, xai="grok-4", openrouter="x-ai/grok-4"),
    _row(
        *("gpt-oss-120b", 131_072, 131_072, _TEXT, _THINKS),
        groq="openai/gpt-oss-120b",
        together="openai/gpt-oss-120b",
        fireworks="accounts/fireworks/models/gpt-oss-120b",
        openrouter="openai/gpt-oss-120b",
    ),
    _row(
        *("gpt-oss-20b", 131_072, 131_072, _TEXT, _THINKS),
        groq="openai/gpt-oss-20b",
        together="openai/gpt-oss-20b",
        fireworks="accounts/fireworks/models/gpt-oss-20b",
        openrouter="openai/gpt-oss-20b",
    ),
    _row(
        *("llama-3.3-70b", 131_072, 131_072, _TEXT, _TOOLS),
        groq="llama-3.3-70b-versatile",
        together="meta-llama/Llama-3.3-70B-Instruct-Turbo",
        fireworks="accounts/fireworks/models/llama-v3p3-70b-instruct",
        openrouter="meta-llama/llama-3.3-70b-instruct",
    ),
)

MODELS: Mapping[str, Model] = MappingProxyType({row.name: row for row in _ROWS})
"""The rows by canonical name."""

_BY_ID: Mapping[tuple[str, str], Model] = {
    (provider, name): row for row in _ROWS for provider, name in row.ids.items()
}


def known_as(provider: str, model: str) -> Model | None:
    """Give the row of what a provider calls a model."""
    return _BY_ID.get((provider, model))
