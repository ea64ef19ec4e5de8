"""Tools: what may be called, and what must be called.

Wire format: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolConfiguration.html. It has no
way to forbid calls or to have them one by one; where the model itself has one, that is used, else it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from providers import shape
from providers.anthropic.tools import speaks_functions
from providers.bedrock.content import cache_point
from providers.bedrock.families import MORE, Family
from providers.errors import RequestRejected, UnsupportedParameter
from providers.types import Json, JsonObject

FIELDS = frozenset({"tools", "tool_choice", "functions", "function_call", "parallel_tool_calls"})

_KNOWN = frozenset({"name", "description", "strict", "parameters", "cache_control"})
_WORDS = {"auto": "auto", "required": "any", "none": "none"}


class _Choice(NamedTuple):
    at: str
    kind: str = ""
    """`auto`, `any`, `tool` or `none`; empty: not said."""
    name: str = ""

    @property
    def native(self) -> JsonObject:
        """As Anthropic's models have it."""
        return {"type": self.kind or "auto", **({"name": self.name} if self.name else {})}

    @property
    def converse(self) -> JsonObject:
        return {self.kind: {"name": self.name} if self.name else {}}


def tools(fields: JsonObject, used: Sequence[str], family: Family) -> JsonObject:
    """Give `toolConfig` and what goes with it; `used` are the tools that the history calls. Raises `RequestRejected`."""
    declared = [spec for tool, at in _numbered(fields, "tools") for spec in _tool(tool, at)]
    declared += [
        spec for f, at in _numbered(fields, "functions") for spec in _function(shape.mapping(f, at), at)
    ]
    choice = _choice(fields)
    if not declared:
        if choice.kind in {"any", "tool"}:
            raise RequestRejected(
                f"`{choice.at}` asks for a call, and there are no `tools`.", param=choice.at
            )
        return _redeclared(used, family)
    if choice.kind == "none":
        return _forbidden(declared, used, family, choice.at)
    config: JsonObject = {"tools": declared}
    if choice.kind:
        config["toolChoice"] = choice.converse
    parallel = shape.flag(fields.get("parallel_tool_calls", True), "parallel_tool_calls")
    if family.steers_calls and (not parallel or speaks_functions(fields)):
        # A `function_call` has room for one call only.
        return {
            "toolConfig": config,
            MORE: {"tool_choice": {**choice.native, "disable_parallel_tool_use": True}},
        }
    if not parallel:
        raise UnsupportedParameter(
            "Of the models at Bedrock, only Anthropic's take `parallel_tool_calls: false`. To send requests without "
            "it, put `drop: [parallel_tool_calls]` on the provider.",
            param="parallel_tool_calls",
        )
    return {"toolConfig": config}


def _forbidden(declared: list[JsonObject], used: Sequence[str], family: Family, at: str) -> JsonObject:
    if not used:
        return {}
    if family.steers_calls:
        return {"toolConfig": {"tools": declared}, MORE: {"tool_choice": {"type": "none"}}}
    raise UnsupportedParameter(
        f"Of the models at Bedrock, only Anthropic's take `{at}: none` after calls. To send requests without it, "
        f"put `drop: [{at}]` on the provider.",
        param=at,
    )


def _redeclared(used: Sequence[str], family: Family) -> JsonObject:
    # Converse refuses a history with calls without their tools.
    if not used:
        return {}
    forbidden = {MORE: {"tool_choice": {"type": "none"}}} if family.steers_calls else {}
    return {"toolConfig": {"tools": [_gone(name) for name in used]}, **forbidden}


def _gone(name: str) -> JsonObject:
    schema = {"json": {"type": "object", "properties": {}}}
    return {"toolSpec": {"name": name, "description": "Not available any more.", "inputSchema": schema}}


def _numbered(fields: JsonObject, name: str) -> list[tuple[Json, str]]:
    return [(item, f"{name}[{i}]") for i, item in enumerate(shape.listing(fields.get(name, []), name))]


def _tool(declared: Json, at: str) -> list[JsonObject]:
    tool = shape.mapping(declared, at)
    if "function" in tool:
        return [
            *_function(shape.mapping(tool["function"], f"{at}.function"), f"{at}.function"),
            *cache_point(tool),
        ]
    if "type" in tool:
        raise UnsupportedParameter(f"`{at}` is no function. Bedrock takes tools of type function.", param=at)
    return [tool]


def _function(function: JsonObject, at: str) -> list[JsonObject]:
    spec: JsonObject = {"name": shape.text(function.get("name"), f"{at}.name")}
    spec |= {key: function[key] for key in ("description", "strict") if function.get(key) not in (None, "")}
    parameters = shape.mapping(function.get("parameters") or {"properties": {}}, f"{at}.parameters")
    spec["inputSchema"] = {"json": {"type": "object", **parameters}}
    spec |= {key: value for key, value in function.items() if key not in _KNOWN}
    return [{"toolSpec": spec}, *cache_point(function)]


def _choice(fields: JsonObject) -> _Choice:
    at = "tool_choice" if "tool_choice" in fields else "function_call"
    wanted = fields.get(at)
    if wanted is None:
        return _Choice(at)
    if isinstance(wanted, str):
        if wanted in _WORDS:
            return _Choice(at, _WORDS[wanted])
        raise RequestRejected(f"`{at}` must be one of {', '.join(_WORDS)}, or name a function.", param=at)
    wanted = shape.mapping(wanted, at)
    if at == "tool_choice":
        if wanted.get("type") != "function":
            raise UnsupportedParameter(
                f"`{at}` of this type is beyond Bedrock, which takes auto, none, required or one named function.",
                param=at,
            )
        wanted, at = shape.mapping(wanted.get("function"), f"{at}.function"), f"{at}.function"
    return _Choice(at, "tool", shape.text(wanted.get("name"), f"{at}.name"))
