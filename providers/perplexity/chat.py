"""The chat adapter: `POST /v1/responses`, and the models that Sonar's chat completions had before."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from providers.dialect import Option
from providers.perplexity import request
from providers.perplexity.sources import AgentReading
from providers.responses.chat import ResponsesChat

__all__ = ["CHAT", "OPTIONS"]

CHAT = ResponsesChat(body=request.body, reading=AgentReading)

OPTIONS: Mapping[str, Option] = MappingProxyType(
    {name: Option(default) for name, default in request.SONAR.items()}
)
"""What each name of a Sonar model stands for: a model with its vendor's name, or a preset."""
