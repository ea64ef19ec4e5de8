"""Fields of a request on their way to another dialect: named its way, put together, or refused."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from types import MappingProxyType

from providers import shape
from providers.errors import RequestRejected, UnsupportedParameter
from providers.types import Json, JsonObject, Target

Neutral = Callable[[Json], bool]
"""Does this value of a field ask for nothing?"""

NOTHING: Mapping[str, Neutral] = {
    "audio": lambda _: False,
    "deferred": lambda value: value is False,
    "frequency_penalty": lambda value: value == 0,
    "function_call": lambda value: value == "none",
    "functions": lambda value: value == [],
    "logit_bias": lambda value: value == {},
    "logprobs": lambda value: value is False,
    "metadata": lambda value: value == {},
    "modalities": lambda value: value == ["text"],
    "moderation": lambda _: False,
    "n": lambda value: value == 1,
    "parallel_tool_calls": lambda value: value is True,
    "prediction": lambda _: False,
    "presence_penalty": lambda value: value == 0,
    "reasoning_effort": lambda _: False,
    "safety_identifier": lambda _: False,
    "seed": lambda _: False,
    "service_tier": lambda value: value in ("auto", "default"),
    "stop": lambda value: value == [],
    "store": lambda value: value is False,
    "tool_choice": lambda value: value == "auto",
    "top_logprobs": lambda value: value == 0,
    "user": lambda _: False,
    "verbosity": lambda value: value == "medium",
    "web_search_options": lambda _: False,
}
"""Fields that a provider may lack → whether a value asks for what holds anyway."""


_FORMATS = frozenset({"text", "json_object", "json_schema"})


def lacking(*names: str) -> Mapping[str, Neutral]:
    """Give the table of the fields that a dialect has no place for."""
    return MappingProxyType({name: NOTHING[name] for name in names})


def named(body: Mapping[str, Json], target: Target, known: Container[str]) -> JsonObject:
    """Give the client's fields without those to drop, under the provider's names.

    A null of a field in `known` is as good as none. Raises `RequestRejected` for two values of one field.
    """
    fields: JsonObject = {}
    for name, value in body.items():
        theirs = target.rename.get(name, name)
        if name in target.drop or (value is None and theirs in known):
            continue
        if fields.get(theirs, value) != value:
            raise twice(theirs)
        fields[theirs] = value
    return fields


def refuse(fields: JsonObject, table: Mapping[str, Neutral], target: Target) -> None:
    """Raise `UnsupportedParameter` for a field of the table that asks for something."""
    for name, is_neutral in table.items():
        if name in fields and not is_neutral(fields[name]):
            raise unsupported(name, target)


def leave_out(fields: JsonObject, lacking: frozenset[str], target: Target) -> None:
    """Take out what the target lacks and the client does not ask for. Raises `UnsupportedParameter` where it does."""
    for name in sorted(lacking & fields.keys()):
        value = fields.pop(name)
        if value is not None and not NOTHING[name](value):
            raise unsupported(name, target)


def without(fields: JsonObject, lacks: Mapping[str, Neutral], target: Target) -> JsonObject:
    """Give the fields that the target has. Raises `UnsupportedParameter` for another that asks for something."""
    refuse({name: value for name, value in fields.items() if value is not None}, lacks, target)
    return {name: value for name, value in fields.items() if name not in lacks}


def answer_format(fields: JsonObject) -> tuple[str, JsonObject]:
    """Give the kind of `response_format`, `text` where there is none, and all of it. Raises `RequestRejected`."""
    wanted = shape.mapping(fields.get("response_format", {}), "response_format")
    kind = shape.text(wanted.get("type", "text"), "response_format.type")
    if kind not in _FORMATS:
        raise RequestRejected(
            "`response_format.type` must be text, json_object or json_schema.", param="response_format.type"
        )
    return kind, wanted


def unsupported(name: str, target: Target, instead: str = "") -> UnsupportedParameter:
    """Give the refusal of a field that the target has no place for."""
    return UnsupportedParameter(
        f"`{target.name}` cannot take `{name}`. {instead}"
        f"To send requests without it, put `drop: [{name}]` on the provider.",
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
