"""Tools: what may be called, what must be called, and the ids of calls.

Wire format: https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/implement-tool-use.
Tools and choices in Anthropic's own shape (its server tools, `{"type": "any"}`) travel untouched.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from providers import shape
from providers.errors import RequestRejected, UnsupportedParameter
from providers.types import Json, JsonObject

_ID = re.compile(r"[a-zA-Z0-9_-]+")
_NATIVE_CHOICES = frozenset({"auto", "any", "none", "tool"})
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


def speaks_functions(body: Mapping[str, Json]) -> bool:
    """Whether the client uses the deprecated `functions`, and so expects `function_call` back."""
    return bool(body.get("functions")) and not body.get("tools")


def call_id(id: str) -> str:
    """Give the id if Anthropic takes it, else always the same other one for it."""
    if _ID.fullmatch(id):
        return id
    return "call_" + hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def tools(fields: JsonObject) -> JsonObject:
    """Give `tools` and `tool_choice`, where there are any. Raises `RequestRejected`."""
    declared = [_tool(tool, at) for tool, at in _numbered(fields, "tools")]
    declared += [_function(shape.mapping(f, at), {}, at) for f, at in _numbered(fields, "functions")]
    choice = _choice(fields)
    if not declared:
        # Anthropic refuses any choice without tools; these two say what holds anyway.
        return {"tool_choice": choice} if choice and choice["type"] not in {"auto", "none"} else {}
    parallel = shape.flag(fields.get("parallel_tool_calls", True), "parallel_tool_calls")
    if (not parallel or speaks_functions(fields)) and choice.get("type") != "none":
        # A `function_call` has room for one call only.
        choice = {"type": "auto", **choice, "disable_parallel_tool_use": True}
    return {"tools": declared, "tool_choice": choice} if choice else {"tools": declared}


def redeclared(messages: Iterable[JsonObject]) -> JsonObject:
    """Give `tools` and `tool_choice` for a history with calls whose tools the request does not name.

    OpenAI takes such a request, Anthropic only with the tools declared. None of them may be called.
    """
    used = (block for message in messages for block in message["content"] if block.get("type") == "tool_use")
    names = dict.fromkeys(name for block in used if isinstance(name := block.get("name"), str))
    if not names:
        return {}
    return {
        "tools": [{"name": name, "input_schema": {"type": "object", "properties": {}}} for name in names],
        "tool_choice": {"type": "none"},
    }


def _numbered(fields: JsonObject, name: str) -> list[tuple[Json, str]]:
    return [(item, f"{name}[{i}]") for i, item in enumerate(shape.listing(fields.get(name, []), name))]


def _tool(declared: Json, at: str) -> JsonObject:
    tool = shape.mapping(declared, at)
    if "function" in tool:
        rest = {k: v for k, v in tool.items() if k not in {"type", "function"}}
        return _function(shape.mapping(tool["function"], f"{at}.function"), rest, f"{at}.function")
    if "custom" in tool:
        raise UnsupportedParameter(
            f"`{at}` is a custom tool of OpenAI's. Anthropic takes tools of type function and its own.",
            param=at,
        )
    return tool


def _function(function: JsonObject, rest: JsonObject, at: str) -> JsonObject:
    tool: JsonObject = {"name": shape.text(function.get("name"), f"{at}.name")}
    for key in ("description", "strict"):
        if function.get(key) is not None:
            tool[key] = function[key]
    parameters = shape.mapping(function.get("parameters") or {"properties": {}}, f"{at}.parameters")
    tool["input_schema"] = {"type": "object", **parameters}
    known = {"name", "description", "strict", "parameters"}
    return {**tool, **{k: v for k, v in function.items() if k not in known}, **rest}


def _choice(fields: JsonObject) -> JsonObject:
    at = "tool_choice" if "tool_choice" in fields else "function_call"
    wanted = fields.get(at)
    if wanted is None:
        return {}
    if isinstance(wanted, str):
        if wanted in _CHOICES:
            return {"type": _CHOICES[wanted]}
        raise RequestRejected(f"`{at}` must be one of {', '.join(_CHOICES)}, or name a function.", param=at)
    wanted = shape.mapping(wanted, at)
    if at == "function_call":
        return {"type": "tool", "name": shape.text(wanted.get("name"), f"{at}.name")}
    kind = shape.text(wanted.get("type"), f"{at}.type")
    if kind in _NATIVE_CHOICES:
        return wanted
    if kind == "function":
        function = shape.mapping(wanted.get("function"), f"{at}.function")
        return {"type": "tool", "name": shape.text(function.get("name"), f"{at}.function.name")}
    raise UnsupportedParameter(
        f"`{at}` of this type is beyond Anthropic, which takes auto, none, required or one named function.",
        param=at,
    )
