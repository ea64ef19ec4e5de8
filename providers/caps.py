"""The cap on an answer's tokens, under whichever of OpenAI's two names."""

from __future__ import annotations

from providers.asked import twice
from providers.errors import RequestRejected
from providers.types import JsonObject


def most_tokens(fields: JsonObject) -> int | None:
    """Give the cap, where there is one. Raises `RequestRejected`."""
    caps = {name: fields[name] for name in ("max_completion_tokens", "max_tokens") if name in fields}
    for name, value in caps.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise RequestRejected(f"`{name}` must be a whole number of tokens.", param=name)
    if len(set(caps.values())) > 1:
        raise twice("max_tokens")
    return next(iter(caps.values()), None)
