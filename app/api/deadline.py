"""The time that a client gives its call: `x-switchgear-timeout`, in seconds."""

from __future__ import annotations

import math

from app.api.asgi import RawHeaders, header
from app.errors import BadRequest

LONGEST = 86_400.0


def read_timeout(headers: RawHeaders) -> float:
    """Give the seconds that the call may take; infinite where the client does not say. Raises `BadRequest`."""
    raw = header(headers, b"x-switchgear-timeout")
    if raw is None:
        return math.inf
    try:
        seconds = float(raw)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= LONGEST:
        raise BadRequest(
            "x-switchgear-timeout is a number of seconds above 0 and up to a day, such as `2.5`.",
            code="invalid_timeout",
            param="x-switchgear-timeout",
        )
    return seconds
