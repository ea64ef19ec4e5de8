"""Errors: Google's form for what stands before a model, and for a model the form of its publisher."""

from __future__ import annotations

import msgspec

from providers.anthropic import errors as anthropic
from providers.errors import UpstreamError
from providers.gemini import errors as google
from providers.gemini.errors import parse_limits
from providers.types import Head

__all__ = ["parse_error", "parse_limits"]


class _Kind(msgspec.Struct):
    type: str = ""


def parse_error(head: Head, body: bytes, now: float) -> UpstreamError:
    """Classify a non-2xx answer; `now` in Unix seconds. Total."""
    try:
        anthropics = msgspec.json.decode(body, type=_Kind).type == "error"
    except (ValueError, RecursionError):
        anthropics = False
    parse = anthropic.parse_error if anthropics else google.parse_error
    return parse(head, body, now)
