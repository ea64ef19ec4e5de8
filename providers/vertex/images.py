"""The images adapter: Gemini's, at Vertex AI's address."""

from __future__ import annotations

from providers.gemini.images import Images
from providers.types import Target
from providers.vertex.address import credentials, method_url


def _url(target: Target, method: str) -> str:
    return method_url(target, "google", method)


ADAPTER = Images(_url, credentials)
