"""Times as a person types them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Literal

import typer
from pydantic_core import PydanticCustomError

from app.config.scalars import duration, moment

FORMS = "write a duration such as `24h`, a date (its first moment in UTC), or `2026-11-01T18:00:00Z`"


def read_time(text: str, option: str, now: float, toward: Literal[-1, 1]) -> float:
    """Give Unix seconds: a date, or a duration before (-1) or after (1) now. Raises `typer.BadParameter`."""
    try:
        if "-" in text[1:]:
            read = moment(text)
            assert isinstance(read, datetime)
            return read.timestamp()
        length = duration(text)
        assert isinstance(length, float)
        then = now + toward * length
        datetime.fromtimestamp(then, UTC)
    except PydanticCustomError:
        raise typer.BadParameter(f"`{text}` is no time; {FORMS}", param_hint=option) from None
    except (ValueError, OverflowError, OSError):
        raise typer.BadParameter(f"`{text}` leads out of the calendar", param_hint=option) from None
    return then


def time_text(seconds: float) -> str:
    """Write Unix seconds as UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_duration(text: str, option: str) -> float:
    """Give the seconds of a duration such as `1h`. Raises `typer.BadParameter`."""
    try:
        length = duration(text)
    except PydanticCustomError:
        raise typer.BadParameter(
            f"`{text}` is no duration; write one such as `1h`", param_hint=option
        ) from None
    assert isinstance(length, float)
    return length


def read_expiry(text: str) -> float:
    """Give the Unix seconds of a time to come. Raises `typer.BadParameter`."""
    now = time.time()
    ends = read_time(text, "--expires", now, 1)
    if ends <= now:
        raise typer.BadParameter(f"`{text}` is in the past", param_hint="--expires")
    return ends
