"""Fields of a request: put together, or refused."""

from __future__ import annotations

from providers.errors import RequestRejected, UnsupportedParameter
from providers.types import JsonObject

_INSTEAD = {
    "web_search_options": " Or put Anthropic's own web search tool into `tools`.",
    "metadata": " Of metadata it takes `user_id` alone.",
}


def unsupported(name: str) -> UnsupportedParameter:
    """Give the refusal of a field that Anthropic has no place for."""
    return UnsupportedParameter(
        f"Anthropic cannot take `{name}`. To send requests without it, put `drop: [{name}]` on the provider."
        + _INSTEAD.get(name, ""),
        param=name,
    )


def twice(name: str) -> RequestRejected:
    """Give the refusal of a field that contradicts itself."""
    return RequestRejected(f"`{name}` is given twice, with different values. Give it once.", param=name)


def merge(result: JsonObject, part: JsonObject) -> None:
    """Add fields; objects are added to objects. Raises `RequestRejected` where two values contradict."""
    for name, value in part.items():
        mine = result.get(name)
        if isinstance(mine, dict) and isinstance(value, dict):
            if any(mine.get(key, value[key]) != value[key] for key in value):
                raise twice(name)
            result[name] = {**mine, **value}
        elif name in result and mine != value:
            raise twice(name)
        else:
            result[name] = value
