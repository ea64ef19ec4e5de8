"""The tools of a request: the client's, and the web search that Perplexity's models are asked for.

Wire format: https://docs.perplexity.ai/docs/agent-api/tools.
"""

from __future__ import annotations

from collections.abc import Mapping

from providers import shape
from providers.asked import twice, unsupported
from providers.errors import UnsupportedParameter
from providers.responses import tools as flat
from providers.types import JsonObject, Target

_FILTERS = frozenset(
    {
        *("search_domain_filter", "search_recency_filter", "search_after_date_filter"),
        *("search_before_date_filter", "last_updated_after_filter", "last_updated_before_filter"),
    }
)
"""Sonar's fields that are the tool's."""
FIELDS = _FILTERS | {"disable_search", "web_search_options"}
_SEARCH = "web_search"


def tools(fields: JsonObject, target: Target, *, preset: bool) -> list[JsonObject]:
    """Give the tools. A preset searches by itself unless it is given other tools.

    Raises `UnsupportedParameter` and `RequestRejected`.
    """
    declared = flat.tools({"tools": fields.get("tools", [])}).get("tools", [])
    for index, tool in enumerate(declared):
        if tool.get("type") == "custom":
            at = f"tools[{index}]"
            raise UnsupportedParameter(
                f"`{at}` is a custom tool, which `{target.name}` cannot take.", param=at
            )
    wanted = _wanted(fields, target)
    if shape.flag(fields.get("disable_search", False), "disable_search"):
        if preset:
            raise unsupported("disable_search", target, "A preset searches. Name a model, as in sonar. ")
        return [*declared]
    if any(tool.get("type") == _SEARCH for tool in declared):
        if wanted:
            raise twice(_SEARCH)
        return [*declared]
    needed = bool(wanted) or bool(declared) or not preset
    return [*declared, {"type": _SEARCH, **wanted}] if needed else [*declared]


def _wanted(fields: Mapping[str, object], target: Target) -> JsonObject:
    """Give what the client says of the search: Sonar's fields and OpenAI's."""
    options = shape.mapping(fields.get("web_search_options", {}), "web_search_options")
    wanted = {name: value for name, value in flat.web_search(options).items() if name != "type"}
    place = wanted.get("user_location")
    if isinstance(place, dict):
        # "Approximate" is all that it knows.
        wanted["user_location"] = {name: value for name, value in place.items() if name != "type"}
    if wanted.get("search_type") == "auto":
        del wanted["search_type"]
    elif wanted.get("search_type") == "pro":
        raise unsupported("web_search_options.search_type", target, "It takes web and fast. ")
    filters = {name: fields[name] for name in sorted(_FILTERS) if name in fields}
    return {**wanted, "filters": filters} if filters else wanted
