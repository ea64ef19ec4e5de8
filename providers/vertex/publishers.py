"""Who publishes a model, and in which dialect it is asked and answers: one row a publisher."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from providers.adapter import StreamDecoder
from providers.anthropic import request as anthropic_request
from providers.anthropic import response as anthropic_response
from providers.anthropic.stream import ChatStream as AnthropicStream
from providers.errors import MalformedResponse
from providers.gemini import request as gemini_request
from providers.gemini import response as gemini_response
from providers.gemini.errors import under_success
from providers.gemini.stream import ChatStream as GeminiStream
from providers.types import Call, JsonObject, Reply, Target

ANTHROPIC_VERSION = "vertex-2023-10-16"
"""https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude."""

Asked = tuple[JsonObject, Mapping[str, str]]
"""A request's body and its headers."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """How a publisher's models are spoken to. Its functions raise what those of an adapter raise."""

    name: str
    method: Callable[[Call], str]
    ask: Callable[[Call, Target], Asked]
    read: Callable[[Call, Target, bytes], Reply]
    open: Callable[[Call, Target], StreamDecoder]


def publisher_of(model: str) -> Publisher:
    """Give the publisher of a model."""
    return next(publisher for pattern, publisher in _PUBLISHERS if fnmatchcase(model, pattern))


def _ask_gemini(call: Call, target: Target) -> Asked:
    body = gemini_request.body(call, target)
    # Here the tier is a header, and the field unknown.
    tier = body.pop("serviceTier", "standard")
    return body, {} if tier == "standard" else {"x-vertex-ai-llm-shared-request-type": tier}


def _ask_claude(call: Call, target: Target) -> Asked:
    body = anthropic_request.body(call, target)
    del body["model"]
    return {"anthropic_version": ANTHROPIC_VERSION, **body}, {}


def _read_claude(call: Call, target: Target, body: bytes) -> Reply:  # noqa: ARG001 - as the others
    try:
        return anthropic_response.reply(call, body)
    except MalformedResponse:
        # What stands before the model speaks Google's errors.
        raise under_success(body) from None


def _open_claude(call: Call, target: Target) -> StreamDecoder:  # noqa: ARG001 - as the others
    return AnthropicStream(call)


_GOOGLE = Publisher("google", gemini_request.method, _ask_gemini, gemini_response.reply, GeminiStream)
_ANTHROPIC = Publisher(
    "anthropic",
    lambda call: "streamRawPredict" if call.stream else "rawPredict",
    _ask_claude,
    _read_claude,
    _open_claude,
)

_PUBLISHERS = (("claude-*", _ANTHROPIC), ("*", _GOOGLE))
