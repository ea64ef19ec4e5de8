"""Where Ollama's own API is."""

from __future__ import annotations


def root_of(base_url: str) -> str:
    """Give the server's root: the catalogue's address is that of the OpenAI form, which is below it."""
    return base_url.removesuffix("/v1")
