"""The `echo` object of a request: how the embedded provider is told to behave."""

from __future__ import annotations

from typing import Annotated

import msgspec

from providers.types import Json

LONGEST_WAIT = 600.0
"""Seconds. Longer than any timeout one may want to see, short enough to end by itself."""
LONGEST_RETRY_AFTER = 86_400.0
"""Seconds: a day."""

Wait = Annotated[float, msgspec.Meta(ge=0, le=LONGEST_WAIT)]
Count = Annotated[int, msgspec.Meta(ge=0)]


class Tool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tool to call."""

    name: str
    arguments: dict[str, Json] = {}


class Directives(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a request may tell. The package's docstring explains each."""

    delay: Wait = 0.0
    pause: Wait = 0.0
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] | None = None
    retry_after: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_RETRY_AFTER)] | None = None
    tool: str | Tool | None = None
    reasoning: str = ""
    error_after: Count | None = None
    stop_after: Count | None = None
    usage: bool = True
