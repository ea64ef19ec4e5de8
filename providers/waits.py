"""How long a provider asks to wait: its header spellings → seconds."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

LONGEST = 86_400.0
"""Seconds. No wait beyond a day is believed: what a provider asks for is bounded here, once."""

_EPOCH_SECONDS = 1e9
_EPOCH_MILLISECONDS = 1e12
"""A number this large is a date, not a wait: September 2001, in each unit."""

_NUMBER = re.compile(r"[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18}")
_DURATION = re.compile(r"(?:(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(?:ns|us|µs|μs|ms|s|m|h))+")
_PART = re.compile(r"([0-9]*\.?[0-9]*)(ns|us|µs|μs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Give the seconds to wait, from `retry-after-ms`, else `retry-after` (RFC 9110, 10.2.3).

    Header names are in lower case; `now` in Unix seconds. What cannot be read or lies in the past
    by its own sign is `None`. Total.
    """
    milliseconds = number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return min(milliseconds / 1000, LONGEST)
    text = headers.get("retry-after")
    seconds = number(text)
    return _until(text, now) if seconds is None else min(seconds, LONGEST)


def reset(text: str | None, now: float) -> float | None:
    """Give the seconds until a rate limit's reset; `now` in Unix seconds. Total.

    Takes plain seconds, a duration as Go prints it (`6m0s`, `12ms`: OpenAI, Groq), and Unix time in
    seconds or milliseconds (Together, OpenRouter).
    """
    seconds = number(text)
    if seconds is None:
        return duration(text)
    if seconds >= _EPOCH_MILLISECONDS:
        seconds = seconds / 1000 - now
    elif seconds >= _EPOCH_SECONDS:
        seconds -= now
    return min(max(seconds, 0.0), LONGEST)


def duration(text: str | None) -> float | None:
    """Give the seconds of a duration as Go's `time.ParseDuration` reads it, without a sign. Total."""
    if text is None or len(text) > 64 or not _DURATION.fullmatch(text := text.strip()):
        return None
    return min(sum(float(count) * _SECONDS[unit] for count, unit in _PART.findall(text)), LONGEST)


def number(text: str | None) -> float | None:
    """Read a plain decimal number that is not negative; anything else is `None`. Total."""
    if text is None or not _NUMBER.fullmatch(text := text.strip()):
        return None
    return float(text)


def _until(text: str | None, now: float) -> float | None:
    if text is None or len(text) > 64 or not math.isfinite(now):
        return None
    try:
        date = parsedate_to_datetime(text)
        # A date without a zone is UTC: HTTP dates always are.
        at = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(at - now, 0.0), LONGEST)
