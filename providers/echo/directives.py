"""The `echo` object of a request: how the embedded provider is told to behave."""

from __future__ import annotations

import msgspec

from providers.types import Json, JsonObject

LONGEST_WAIT = 600.0
"""Seconds. Longer than any timeout one may want to see, short enough to end by itself."""


class DirectiveError(ValueError):
    """The `echo` object is not as it should be; the text says how."""


class Tool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tool to call."""

    name: str
    arguments: dict[str, Json] = {}


class Directives(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a request may tell. The package's docstring explains each."""

    delay: float = 0.0
    pause: float = 0.0
    status: int = 200
    retry_after: float | None = None
    tool: str | Tool | None = None
    reasoning: str = ""
    error_after: int | None = None
    stop_after: int | None = None
    usage: bool = True


def read_directives(body: JsonObject) -> Directives:
    """Read the `echo` object of a request. Raises `DirectiveError`."""
    try:
        directives = msgspec.convert(body.get("echo") or {}, Directives)
    except msgspec.ValidationError as error:
        raise DirectiveError(f"echo: {error}") from None
    if not (0 <= directives.delay <= LONGEST_WAIT and 0 <= directives.pause <= LONGEST_WAIT):
        raise DirectiveError(f"echo: `delay` and `pause` are seconds from 0 to {LONGEST_WAIT:.0f}")
    if directives.status != 200 and not 400 <= directives.status <= 599:
        raise DirectiveError("echo: `status` is an error's HTTP status, from 400 to 599")
    return directives
