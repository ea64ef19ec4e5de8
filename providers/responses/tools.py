"""Tools: a chat's nested ones → flat ones. Those in the API's own shape (`{"type": "web_search"}`) travel untouched.

Wire format: https://platform.openai.com/docs/api-reference/responses/create (tools, tool_choice).
"""

from __future__ import annotations

from providers import shape
from providers.errors import RequestRejected
from providers.types import Json, JsonObject

_CHOICES = frozenset({"auto", "none", "required"})


def tools(fields: JsonObject) -> JsonObject:
    """Give `tools`, where there are any. Raises `RequestRejected`."""
    given = shape.listing(fields.get("tools", []), "tools")
    declared = [_tool(shape.mapping(tool, f"tools[{i}]"), f"tools[{i}]") for i, tool in enumerate(given)]
    declared += _web_search(fields)
    return {"tools": declared} if declared else {}


def choice(fields: JsonObject) -> JsonObject:
    """Give `tool_choice`, where there is one. Raises `RequestRejected`."""
    if "tool_choice" not in fields:
        return {}
    wanted = fields["tool_choice"]
    if isinstance(wanted, str):
        if wanted not in _CHOICES:
            known = ", ".join(sorted(_CHOICES))
            raise RequestRejected(
                f"`tool_choice` must be one of {known}, or name a tool.", param="tool_choice"
            )
        return {"tool_choice": wanted}
    return {"tool_choice": _named(shape.mapping(wanted, "tool_choice"), "tool_choice")}


def web_search(options: JsonObject) -> JsonObject:
    """Give the tool for a chat's `web_search_options`, whose place is nested once more."""
    at = "web_search_options.user_location"
    place = options.get("user_location")
    if place is not None:
        place = dict(shape.mapping(place, at))
        place |= shape.mapping(place.pop("approximate", {}), f"{at}.approximate")
        options = {**options, "user_location": place}
    return {"type": "web_search", **{name: value for name, value in options.items() if value is not None}}


def _web_search(fields: JsonObject) -> list[JsonObject]:
    if "web_search_options" not in fields:
        return []
    return [web_search(shape.mapping(fields["web_search_options"], "web_search_options"))]


def _tool(tool: JsonObject, at: str) -> JsonObject:
    if "function" in tool:
        function = shape.mapping(tool["function"], f"{at}.function")
        shape.text(function.get("name"), f"{at}.function.name")
        # What a chat leaves out means another thing here: strict is the default.
        usual = {"parameters": {"type": "object", "properties": {}}, "strict": False}
        return {**_lifted(tool, "function"), **usual, **_given(function), "type": "function"}
    if "custom" in tool:
        custom = _given(shape.mapping(tool["custom"], f"{at}.custom"))
        if "format" in custom:
            custom["format"] = _grammar(shape.mapping(custom["format"], f"{at}.custom.format"), at)
        return {**_lifted(tool, "custom"), **custom, "type": "custom"}
    return tool


def _grammar(wanted: JsonObject, at: str) -> JsonObject:
    if "grammar" not in wanted:
        return wanted
    return {**_lifted(wanted, "grammar"), **shape.mapping(wanted["grammar"], f"{at}.custom.format.grammar")}


def _named(wanted: JsonObject, at: str) -> JsonObject:
    """Lift what stands under the name of its own type: a function's name, a list of allowed tools."""
    kind = shape.text(wanted.get("type"), f"{at}.type")
    if kind not in wanted:
        return wanted
    lifted: JsonObject = {**_lifted(wanted, kind), **shape.mapping(wanted[kind], f"{at}.{kind}")}
    if kind == "allowed_tools":
        allowed = shape.listing(lifted.get("tools"), f"{at}.{kind}.tools")
        places = [f"{at}.{kind}.tools[{index}]" for index in range(len(allowed))]
        lifted["tools"] = [
            _named(shape.mapping(*each), each[1]) for each in zip(allowed, places, strict=True)
        ]
    return lifted


def _lifted(given: JsonObject, name: str) -> JsonObject:
    return {key: value for key, value in given.items() if key != name}


def _given(values: JsonObject) -> dict[str, Json]:
    return {name: value for name, value in values.items() if value is not None}
