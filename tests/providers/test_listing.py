"""What dialects make of providers' lists of models, and the rows of well-known models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from providers.catalog import CATALOG
from providers.errors import MalformedResponse
from providers.facts import NOTHING, ModelFacts
from providers.listing import MOST
from providers.models import MODELS, known_as
from providers.registry import DIALECTS
from providers.types import Secret, Target

GOLDEN = Path(__file__).parents[1] / "golden"
TEXT, SEES = frozenset({"text"}), frozenset({"text", "image"})


def listed(dialect: str, body: Any) -> dict[str, ModelFacts]:
    listing = DIALECTS[dialect].listing
    assert listing is not None
    return dict(listing.parse(body if isinstance(body, bytes) else json.dumps(body).encode()))


def test_lists_of_many_shapes_are_read() -> None:
    golden = {name: (GOLDEN / name).read_bytes() for name in (
        "openai/models_list.json", "anthropic/models_list.json", "openrouter/models_list.json",
        "ollama_native/tags_response.json",
    )}  # fmt: skip
    assert listed("openai", golden["openai/models_list.json"]) == {
        "gpt-4.1-nano": NOTHING,
        "text-embedding-3-small": NOTHING,
    }
    assert listed("anthropic", golden["anthropic/models_list.json"]) == {
        "claude-haiku-4-5-20251001": ModelFacts(200_000, 64_000)
    }
    assert listed("openai", golden["openrouter/models_list.json"]) == {
        "openai/gpt-4.1-nano": ModelFacts(
            1_047_576, 32_768, SEES | {"file"}, TEXT, frozenset({"tools", "structured_output"})
        )
    }
    assert listed("ollama", golden["ollama_native/tags_response.json"]) == {"qwen3": NOTHING}
    # Together's bare list, vLLM, Mistral, Groq, Fireworks.
    assert listed("openai", [{"id": "a", "type": "embedding", "context_length": 512}]) == {
        "a": ModelFacts(512, outputs=frozenset({"embedding"}))
    }
    assert listed("openai", {"data": [{"id": "a", "max_model_len": 4096}]})["a"].context_window == 4096
    mistral = {
        "id": "a",
        "max_context_length": 32768,
        "capabilities": {"vision": False, "function_calling": True},
    }
    assert listed("openai", {"data": [mistral]})["a"] == ModelFacts(
        32768, inputs=TEXT, capabilities=frozenset({"tools"})
    )
    fireworks = {"id": "a", "supports_image_input": True, "supports_tools": False}
    assert listed("openai", {"data": [fireworks]})["a"] == ModelFacts(inputs=SEES, capabilities=frozenset())
    cohere = {
        "models": [
            {"name": "command-a", "endpoints": ["chat"], "context_length": 256000, "supports_vision": False,
             "features": ["tools", "json_schema", "other"]},
            {"name": "embed-v4.0", "endpoints": ["embed"], "context_length": 128000, "supports_vision": False},
        ]
    }  # fmt: skip
    assert listed("cohere", cohere) == {
        "command-a": ModelFacts(256000, None, TEXT, TEXT, frozenset({"tools", "structured_output"})),
        "embed-v4.0": ModelFacts(128000, outputs=frozenset({"embedding"})),
    }


HOSTILE: list[Any] = [
    b"", b"<html>", b"[" * 100_000, {}, {"data": 3}, {"data": {"id": "a"}}, "text", None, {"error": "no"},
]  # fmt: skip


def test_what_is_no_list_is_malformed_and_what_is_no_model_is_left_out() -> None:
    odd = [3, None, {"id": 5}, {"id": ""}, {"id": "x" * 300}, {"id": "a\n"}, {"name": {}}, {"id": "good"}]
    crooked = {
        "context_length": "many",
        "architecture": [],
        "capabilities": 3,
        "endpoints": [5],
        "max_tokens": -1,
    }
    for dialect in ("openai", "anthropic", "cohere", "ollama"):
        for body in HOSTILE:
            with pytest.raises(MalformedResponse):
                listed(dialect, body)
        named = "name" if dialect in ("cohere", "ollama") else "id"
        renamed = [
            {named: each["id"], **crooked} if isinstance(each, dict) and "id" in each else each
            for each in odd
        ]
        assert list(listed(dialect, {"data": renamed})) == ["good"]
        many = [{named: f"m{number}"} for number in range(MOST + 5)]
        assert len(listed(dialect, {"data": many})) == MOST


def test_each_dialect_is_asked_in_its_own_way() -> None:
    def ask(dialect: str, base_url: str = "https://x.test/root") -> tuple[str, dict[str, str]]:
        target = Target("x", dialect, base_url, "", credential=Secret("k"), headers={"X-Extra": "1"})
        listing = DIALECTS[dialect].listing
        assert listing is not None
        request = listing.request(target)
        assert (request.method, request.body) == ("GET", b"")
        assert "'k'" not in repr(request)
        assert "Bearer" not in repr(request)
        return request.url, dict(request.headers)

    url, headers = ask("openai")
    assert url == "https://x.test/root/models"
    assert (headers["authorization"], headers["x-extra"]) == ("Bearer k", "1")
    url, headers = ask("anthropic")
    assert url == "https://x.test/root/v1/models?limit=1000"
    assert (headers["x-api-key"], headers["anthropic-version"]) == ("k", "2023-06-01")
    assert "authorization" not in headers
    assert ask("cohere")[0] == "https://x.test/root/v1/models?page_size=1000"
    assert ask("ollama", "http://127.0.0.1:11434/v1")[0] == "http://127.0.0.1:11434/api/tags"
    url, headers = ask("gemini")
    assert (url, headers["x-goog-api-key"]) == ("https://x.test/root/models?pageSize=1000", "k")
    assert ask("bedrock", "https://bedrock-runtime.x.test")[0] == "https://bedrock.x.test/foundation-models"
    url, headers = ask("azure")
    assert (url, headers["api-key"]) == ("https://x.test/root/openai/v1/models", "k")
    url, headers = ask("vertex", "https://v.test/v1")
    assert url == "https://v.test/v1beta1/publishers/google/models?pageSize=300"
    assert headers["authorization"] == "Bearer k"
    for dialect in ("blackbox", "mistral", "openrouter", "responses", "perplexity"):
        assert ask(dialect)[0] == "https://x.test/root/models"
    assert DIALECTS["echo"].listing is None


def test_vertex_lists_of_its_garden_what_can_be_called() -> None:
    models = ("gemini-2.5-flash", "veo-3.1-generate-001", "imagen-4.0-generate-001", "text-embedding-005",
              "chat-bison", "gemma3", "multimodalembedding", "timesfm")  # fmt: skip
    garden = [{"name": f"publishers/google/models/{name}", "versionId": "001"} for name in models]
    found = listed("vertex", {"publisherModels": [*garden, {"name": 3}, {}], "nextPageToken": "x"})
    assert found == {
        "gemini-2.5-flash": NOTHING,
        "veo-3.1-generate-001": NOTHING,
        "imagen-4.0-generate-001": NOTHING,
        "text-embedding-005": ModelFacts(outputs=frozenset({"embedding"})),
    }


def test_gemini_and_bedrock_tell_of_their_models_in_their_own_words() -> None:
    gemini = {
        "models": [
            {
                "name": "models/gemini-2.5-flash",
                "inputTokenLimit": 1048576,
                "outputTokenLimit": 65536,
                "supportedGenerationMethods": ["generateContent", "countTokens"],
                "thinking": True,
            },
            {"name": "models/gemini-embedding-001", "supportedGenerationMethods": ["embedContent"]},
        ]
    }
    assert listed("gemini", gemini) == {
        "gemini-2.5-flash": ModelFacts(1048576, 65536, capabilities=frozenset({"reasoning"})),
        "gemini-embedding-001": ModelFacts(outputs=frozenset({"embedding"})),
    }
    bedrock = {
        "modelSummaries": [
            {
                "modelId": "amazon.nova-lite-v1:0",
                "inputModalities": ["TEXT", "IMAGE"],
                "outputModalities": ["TEXT"],
            },
            {"modelId": "amazon.titan-embed-text-v2:0", "outputModalities": ["EMBEDDING"]},
        ]
    }
    assert listed("bedrock", bedrock) == {
        "amazon.nova-lite-v1:0": ModelFacts(
            inputs=frozenset({"text", "image", "file"}), outputs=frozenset({"text"})
        ),
        "amazon.titan-embed-text-v2:0": ModelFacts(outputs=frozenset({"embedding"})),
    }


def test_well_known_models_have_one_name_at_each_provider() -> None:
    claude = MODELS["claude-sonnet-4-5"]
    assert claude.ids.keys() >= {"anthropic", "bedrock", "vertex", "openrouter"}
    seen = [(provider, name) for row in MODELS.values() for provider, name in row.ids.items()]
    assert len(seen) == len(set(seen))
    for name, row in MODELS.items():
        assert row.name == name
        assert row.facts.context_window
        assert row.facts.inputs
        assert all(known_as(provider, theirs) is row for provider, theirs in row.ids.items())
        # At the vendor itself the name is the canonical one.
        assert all(
            theirs == name for provider, theirs in row.ids.items() if provider in ("openai", "anthropic")
        )
    assert {provider for provider, _ in seen} <= {*CATALOG, "bedrock", "vertex", "gemini"}
