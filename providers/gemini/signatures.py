"""Thought signatures: what Gemini wants back with its own words, to go on from its thoughts.

They travel as Google's own OpenAI-compatible endpoint has them, in `extra_content.google.thought_signature`
of a tool call or an image, or of a message for its text (https://ai.google.dev/gemini-api/docs/thought-signatures).
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from providers import shape
from providers.types import JsonObject

NOBODYS = "skip_thought_signature_validator"
"""The signature that Google documents for calls that another model has made, or that have lost theirs."""

_UNSIGNED = ("gemini-1*", "gemini-2*", "gemini-exp*", "gemini-robotics*", "gemma*", "learnlm*")
"""The models that take a call without a signature. From Gemini 3 on it is a 400."""


def must_be_signed(model: str) -> bool:
    """Whether the model refuses its earlier calls without a signature."""
    bare = model.removeprefix("models/")
    return not any(fnmatchcase(bare, pattern) for pattern in _UNSIGNED)


def read(holder: JsonObject, at: str) -> JsonObject:
    """Give the part's field with the signature that a message or call holds, or nothing. Raises `RequestRejected`."""
    at = f"{at}.extra_content"
    extra = holder.get("extra_content")
    google = shape.mapping(extra, at).get("google") if extra is not None else None
    signature = shape.mapping(google, f"{at}.google").get("thought_signature") if google is not None else None
    if signature is None:
        return {}
    return {"thoughtSignature": shape.text(signature, f"{at}.google.thought_signature")}


def shown(signature: str | None) -> JsonObject:
    """Give the field that shows a signature to the client, or nothing."""
    if signature is None:
        return {}
    return {"extra_content": {"google": {"thought_signature": signature}}}
