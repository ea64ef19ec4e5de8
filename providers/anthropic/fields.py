"""Fields of a request that Anthropic has no place for."""

from __future__ import annotations

from providers.errors import UnsupportedParameter

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
