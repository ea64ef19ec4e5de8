"""Where Ollama's own API is."""

from __future__ import annotations

from dataclasses import replace

from providers.types import Target


def root_of(base_url: str) -> str:
    """Give the server's root: the catalogue's address is that of the OpenAI form, which is below it."""
    return base_url.removesuffix("/v1")


def at_root(target: Target) -> Target:
    """Give the target at its server's root."""
    root = root_of(target.base_url)
    return target if root == target.base_url else replace(target, base_url=root)
