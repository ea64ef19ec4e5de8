"""Where an operation is at Azure. What `base_url` ends in decides, and then the version.

    base_url                                 address of an operation
    …/v1                                     {base_url}{path}
    …/deployments/{name}, …/models           {base_url}{path}?api-version={version}
    {resource}, {resource}/openai            version is a date: …/openai/deployments/{model}{path}?api-version={version}
                                             else:              …/openai/v1{path}

Source: https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle.
"""

from __future__ import annotations

from urllib.parse import quote

from providers.types import Target

V1 = "v1"
"""The version that has no date: models are named in the body, and new fields are there as they come."""


def of(target: Target, path: str) -> str:
    """Give the URL of an operation; `path` as OpenAI has it, such as `/chat/completions`."""
    base, version = target.base_url, target.options.get("api_version", V1)
    if base.endswith("/v1"):
        return base + path + _word(version)
    if base.endswith("/models") or "/deployments/" in base:
        return f"{base}{path}?api-version={_escaped(version)}"
    root = base.removesuffix("/openai") + "/openai"
    if not _is_date(version):
        return f"{root}/v1{path}{_word(version)}"
    return f"{root}/deployments/{_escaped(target.model)}{path}?api-version={_escaped(version)}"


def of_models(target: Target) -> str:
    """Give the URL of the list of models, which knows no deployments."""
    base, version = target.base_url, target.options.get("api_version", V1)
    root = base.partition("/deployments/")[0].removesuffix("/v1").removesuffix("/openai") + "/openai"
    if base.endswith("/v1") or not _is_date(version):
        return f"{root}/v1/models{_word(version)}"
    return f"{root}/models?api-version={_escaped(version)}"


def _word(version: str) -> str:
    # A dated version is for the other form, and this one would refuse it.
    return "" if version == V1 or _is_date(version) else f"?api-version={_escaped(version)}"


def _is_date(version: str) -> bool:
    return version[:1].isdigit()


def _escaped(text: str) -> str:
    return quote(text, safe="")
