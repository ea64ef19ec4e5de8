"""Tools, and which of them must be called.

Wire format: https://docs.cohere.com/docs/tool-use-overview.
"""

from __future__ import annotations

from providers import shape
from providers.asked import unsupported
from providers.cohere.names import theirs
from providers.errors import RequestRejected, UnsupportedParameter
from providers.types import Json, JsonObject, Target

_CHOICES: dict[str, JsonObject] = {
    "auto": {},
    "none": {"tool_choice": "NONE"},
    "required": {"tool_choice": "REQUIRED"},
}
_NATIVE = frozenset({"NONE", "REQUIRED"})


def tools(fields: JsonObject, target: Target) -> JsonObject:
    """Give `tools`, `strict_tools` and `tool_choice`, where there are any. Raises `RequestRejected`."""
    listed = shape.listing(fields.get("tools", []), "tools")
    functions = [_function(tool, f"tools[{index}]", target) for index, tool in enumerate(listed)]
    choice, only = _choice(fields.get("tool_choice", "auto"), target)
    if only is not None:
        # Cohere can be told to call a tool, not which one: it is left no other.
        functions = [each for each in functions if each["name"] == only]
        if not functions:
            raise RequestRejected(
                "`tool_choice` names a function that is not in `tools`.", param="tool_choice"
            )
    if not functions:
        return choice if choice.get("tool_choice") == "REQUIRED" else {}
    strict = any(each.pop("strict", False) for each in functions)
    part: JsonObject = {"tools": [{"type": "function", "function": each} for each in functions], **choice}
    return {**part, "strict_tools": True} if strict else part


def _function(value: Json, at: str, target: Target) -> JsonObject:
    tool = shape.mapping(value, at)
    if "function" not in tool:
        raise UnsupportedParameter(
            f"`{at}` is no function. `{target.name}` takes tools of type function.", param=at
        )
    function = shape.mapping(tool["function"], f"{at}.function")
    name = theirs(shape.text(function.get("name"), f"{at}.function.name"))
    kept = {key: item for key, item in function.items() if item is not None}
    return {"parameters": {"type": "object", "properties": {}}, **kept, "name": name}


def _choice(wanted: Json, target: Target) -> tuple[JsonObject, str | None]:
    """Give the choice, and the one tool that it leaves."""
    if isinstance(wanted, str):
        if wanted in _NATIVE:
            return {"tool_choice": wanted}, None
        if wanted not in _CHOICES:
            raise RequestRejected(
                f"`tool_choice` must be one of {', '.join(_CHOICES)}, or name a function.",
                param="tool_choice",
            )
        return _CHOICES[wanted], None
    named = shape.mapping(wanted, "tool_choice")
    if named.get("type") != "function":
        raise unsupported("tool_choice", target, "It takes auto, none, required or one named function. ")
    function = shape.mapping(named.get("function"), "tool_choice.function")
    return {"tool_choice": "REQUIRED"}, theirs(shape.text(function.get("name"), "tool_choice.function.name"))
