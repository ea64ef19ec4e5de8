"""Where a request to Gemini's API goes, and how it says who asks (https://ai.google.dev/api)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from providers.types import Target


def method_url(target: Target, method: str) -> str:
    """Give the address of a model's method, such as `generateContent`."""
    return f"{target.base_url}/models/{segment(target.model)}:{method}"


def segment(model: str) -> str:
    """Give a model's name as one part of a path, whatever a client put into it; `models/` may stand before it."""
    return quote(model.removeprefix("models/"), safe="@", errors="replace")


def credentials(target: Target) -> Mapping[str, str]:
    """Give the header with the API key, if there is one."""
    return {"x-goog-api-key": target.credential.reveal()} if target.credential else {}
