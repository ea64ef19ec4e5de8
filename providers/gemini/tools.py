"""Tools: what may be called, and what must be called.

Wire format: https://ai.google.dev/gemini-api/docs/function-calling. Tools in Gemini's own shape
(`{"googleSearch": {}}`) travel untouched.
"""

from __future__ import annotations

from collections.abc import Mapping

from providers import shape
from providers.asked import unsupported
from providers.errors import RequestRejected, UnsupportedParameter
from providers.types import Json, JsonObject, Target


def speaks_functions(body: Mapping[str, Json]) -> bool:
    """Whether the client uses the deprecated `functions`, and so expects `function_call` back."""
    return bool(body.get("functions")) and not body.get("tools")


def may_cite(body: Mapping[str, Json]) -> bool:
    """Whether the answer may name its sources: only searching and Gemini's other own tools bring any."""
    given = body.get("tools")
    own = isinstance(given, list) and any(isinstance(tool, dict) and "function" not in tool for tool in given)
    return own or "web_search_options" in body


def tools(fields: JsonObject, target: Target) -> JsonObject:
    """Give `tools` and `toolConfig`, where there are any. Raises `RequestRejected`."""
    functions, others = [], []
    for tool, at in _numbered(fields, "tools"):
        declared = shape.mapping(tool, at)
        if "function" in declared:
            functions.append(_function(declared["function"], f"{at}.function"))
        elif "custom" in declared:
            raise UnsupportedParameter(
                f"`{at}` is a custom tool of OpenAI's. Gemini takes tools of type function and its own.",
                param=at,
            )
        else:
            others.append(declared)
    functions += [_function(function, at) for function, at in _numbered(fields, "functions")]
    found = ([{"functionDeclarations": functions}] if functions else []) + others + _search(fields, target)
    choice = _choice(fields)
    if not functions and choice.get("mode") in {"AUTO", "NONE"}:
        # Without functions these say what holds anyway.
        choice = {}
    result: JsonObject = {"tools": found} if found else {}
    return {**result, "toolConfig": {"functionCallingConfig": choice}} if choice else result


def _numbered(fields: JsonObject, name: str) -> list[tuple[Json, str]]:
    return [(item, f"{name}[{i}]") for i, item in enumerate(shape.listing(fields.get(name, []), name))]


def _function(given: Json, at: str) -> JsonObject:
    function = shape.mapping(given, at)
    declared: JsonObject = {"name": shape.text(function.get("name"), f"{at}.name")}
    if function.get("description") is not None:
        declared["description"] = function["description"]
    if function.get("parameters"):
        # JSON Schema as it is; Gemini's `parameters` are a dialect of their own.
        declared["parametersJsonSchema"] = shape.mapping(function["parameters"], f"{at}.parameters")
    known = {"name", "description", "parameters", "strict"}
    return {**declared, **{k: v for k, v in function.items() if k not in known}}


def _search(fields: JsonObject, target: Target) -> list[JsonObject]:
    if "web_search_options" not in fields:
        return []
    asked = shape.mapping(fields["web_search_options"], "web_search_options")
    if beyond := [name for name, value in asked.items() if value not in (None, "medium")]:
        raise unsupported(f"web_search_options.{beyond[0]}", target)
    return [{"googleSearch": {}}]


def _choice(fields: JsonObject) -> JsonObject:
    at = "tool_choice" if "tool_choice" in fields else "function_call"
    wanted = fields.get(at)
    if wanted is None:
        return {}
    if isinstance(wanted, str):
        if wanted in _MODES:
            return {"mode": _MODES[wanted]}
        raise RequestRejected(f"`{at}` must be one of {', '.join(_MODES)}, or name a function.", param=at)
    wanted = shape.mapping(wanted, at)
    if at == "function_call":
        return _only(wanted, at)
    kind = shape.text(wanted.get("type"), f"{at}.type")
    if kind == "function":
        return _only(shape.mapping(wanted.get("function"), f"{at}.function"), f"{at}.function")
    if kind == "allowed_tools":
        return _allowed(
            shape.mapping(wanted.get("allowed_tools"), f"{at}.allowed_tools"), f"{at}.allowed_tools"
        )
    raise UnsupportedParameter(
        f"`{at}` of this type is beyond Gemini, which takes auto, none, required, one named function or "
        "allowed tools.",
        param=at,
    )


def _only(function: JsonObject, at: str) -> JsonObject:
    return {"mode": "ANY", "allowedFunctionNames": [shape.text(function.get("name"), f"{at}.name")]}


def _allowed(allowed: JsonObject, at: str) -> JsonObject:
    mode = shape.text(allowed.get("mode"), f"{at}.mode")
    if mode not in _LIMITED_MODES:
        raise RequestRejected(f"`{at}.mode` must be auto or required.", param=f"{at}.mode")
    names = []
    for index, item in enumerate(shape.listing(allowed.get("tools"), f"{at}.tools")):
        place = f"{at}.tools[{index}].function"
        function = shape.mapping(shape.mapping(item, place).get("function"), place)
        names.append(shape.text(function.get("name"), f"{place}.name"))
    return {"mode": _LIMITED_MODES[mode], "allowedFunctionNames": names}


_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}

_LIMITED_MODES = {"auto": "VALIDATED", "required": "ANY"}
"""The modes in which Gemini takes the names of functions."""
