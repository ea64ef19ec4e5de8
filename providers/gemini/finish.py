"""Why an answer ended: Gemini's words → OpenAI's (https://ai.google.dev/api/generate-content#FinishReason)."""

from __future__ import annotations

from providers.errors import ServerFault

_BLOCKED = frozenset(
    {
        *("BLOCKLIST", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_SAFETY", "LANGUAGE"),
        *("MODEL_ARMOR", "PROHIBITED_CONTENT", "RECITATION", "SAFETY", "SPII"),
    }
)

_FAILED = frozenset(
    {
        *("IMAGE_OTHER", "MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE"),
        *("NO_IMAGE", "OTHER", "TOO_MANY_TOOL_CALLS", "UNEXPECTED_TOOL_CALL"),
    }
)
"""The model has not brought an answer about; another try may."""


def check(reason: str, message: str | None) -> None:
    """Raise `ServerFault` where the model gave up."""
    if reason in _FAILED:
        raise ServerFault(f"The model gave up its answer: {reason}. {message or ''}".rstrip(), type=reason)


def is_blocked(reason: str | None) -> bool:
    """Whether a filter has held the answer back."""
    return reason in _BLOCKED


def finish_reason(reason: str | None, called: str) -> str:
    """Give OpenAI's `finish_reason`; `called` is the one for an answer that calls, or empty. One not known is a stop."""
    if is_blocked(reason):
        return "content_filter"
    return "length" if reason == "MAX_TOKENS" else called or "stop"
