"""What a provider's response headers say is left of its limits."""

from __future__ import annotations

from collections.abc import Mapping

from providers import waits
from providers.types import Head, RateLimits

# First header found wins. OpenAI, Groq and xAI use the first names, Mistral the second, Together the third,
# Fireworks the last.
_REMAINING_REQUESTS = (
    "x-ratelimit-remaining-requests",
    "x-ratelimit-remaining-req-minute",
    "x-ratelimit-remaining-req-10-second",
    "x-ratelimit-remaining",
)
_REMAINING_TOKENS = (
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-remaining-tokens-minute",
    "x-tokenlimit-remaining",
    "x-ratelimit-remaining-tokens-prompt",
)
_RESET_REQUESTS = ("x-ratelimit-reset-requests", "x-ratelimit-reset")
_RESET_TOKENS = ("x-ratelimit-reset-tokens",)
_ALL = frozenset((*_REMAINING_REQUESTS, *_REMAINING_TOKENS, *_RESET_REQUESTS, *_RESET_TOKENS))


def parse_limits(head: Head, now: float) -> RateLimits | None:
    """Read the `x-ratelimit-*` headers, or None where there are none. Total."""
    if _ALL.isdisjoint(head.headers):
        return None
    limits = RateLimits(
        remaining_requests=_count(head.headers, _REMAINING_REQUESTS),
        remaining_tokens=_count(head.headers, _REMAINING_TOKENS),
        reset_requests=waits.reset(_first(head.headers, _RESET_REQUESTS), now),
        reset_tokens=waits.reset(_first(head.headers, _RESET_TOKENS), now),
    )
    return None if limits == RateLimits() else limits


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((headers[name] for name in names if name in headers), None)


def _count(headers: Mapping[str, str], names: tuple[str, ...]) -> int | None:
    number = waits.number(_first(headers, names))
    return None if number is None else int(number)
