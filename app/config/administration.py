"""Where the gateway is administered, and what is kept of it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from app.config.scalars import Maybe, Port, Text, Wait, refuse, textual
from app.config.section import Section

_RATE = re.compile(r"[1-9]\d{0,8}/(?:second|minute|hour|day)")


def _rate(text: str) -> str:
    if not _RATE.fullmatch(text):
        refuse(f"`{text}` is no rate", "write a number and one of second, minute, hour, day: `600/minute`")
    return text


Rate = Annotated[str, AfterValidator(_rate), textual({"type": "string"}, _RATE.pattern)]
"""So many a time, as `600/minute`."""


class Admin(Section):
    """Where the admin API answers, and how often it may be asked."""

    host: Text = "127.0.0.1"
    """Address that the admin API listens on, where it has a port of its own."""
    port: Maybe[Port] = None
    """Port for `/admin/v1`, `/docs` and `/openapi.json` alone; 0 takes any free one. Nothing: they are on `server.port`."""
    rate_limit: Rate = "600/minute"
    """Requests to them from one address; more are answered 429."""


class Audit(Section):
    """What is kept of who changed what."""

    retention: Maybe[Wait] = 365 * 86_400.0
    """How long changes are kept, such as `365d`. Nothing: for ever."""
