"""The conversation: a chat's messages → the items of a response's `input`.

One message of a model is several items: its reasoning, its text, each call of a tool. Reasoning (and
what the provider's own tools have done) comes back in `output_items`, as the answer gave it, and goes
where it stood: the model goes on with the thoughts that led to a call. `reasoning_content` and the
like, which clients echo, are left out: the model takes reasoning back in its own form only.
What else a tool call holds travels untouched.

Wire format: https://platform.openai.com/docs/api-reference/responses/create (input).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from providers import echoed, kept, shape
from providers.errors import RequestRejected, UnsupportedParameter
from providers.responses import content
from providers.types import Json, JsonObject, Target


@dataclass(slots=True)
class _Talk:
    target: Target
    stored: bool
    custom: set[str] = field(default_factory=set)
    """Ids of the calls of custom tools, whose results have a type of their own."""

    def result(self, call_id: str) -> str:
        """Give the type of the item that answers a call."""
        return "custom_tool_call_output" if call_id in self.custom else "function_call_output"


def items(messages: Json, target: Target, *, stored: bool) -> list[JsonObject]:
    """Translate the whole list. Raises `RequestRejected`, `UnsupportedParameter`.

    `stored`: the provider keeps its answers, so that reasoning may be named by its id.
    """
    talk = _Talk(target, stored)
    result: list[JsonObject] = []
    for index, given in enumerate(shape.listing(messages, "messages")):
        at = f"messages[{index}]"
        message = shape.mapping(given, at)
        role = shape.text(message.get("role"), f"{at}.role")
        if role not in _ROLES:
            raise RequestRejected(f"`{at}.role` must be one of {', '.join(_ROLES)}.", param=f"{at}.role")
        if message.get("name") is not None and role not in _RESULTS and _keeps_names(target):
            raise UnsupportedParameter(
                f"`{target.name}` cannot take `{at}.name`. "
                "To send messages without it, put `drop: [name]` on the provider.",
                param=f"{at}.name",
            )
        result += _ROLES[role](talk, message, at)
    return result


def _keeps_names(target: Target) -> bool:
    return target.quirks.message_names and "name" not in target.drop


def _asking(talk: _Talk, message: JsonObject, at: str) -> Iterator[JsonObject]:
    role = message["role"]
    if role == "developer" and not talk.target.quirks.developer_role:
        role = "system"
    said = content.asked(message.get("content"), f"{at}.content")
    yield {**_rest(message, "role", "content", "name"), "role": role, "content": said}


def _assistant(talk: _Talk, message: JsonObject, at: str) -> Iterator[JsonObject]:
    if message.get("audio") is not None or message.get("function_call") is not None:
        name = "audio" if message.get("audio") is not None else "function_call"
        raise UnsupportedParameter(f"`{talk.target.name}` cannot take `{at}.{name}`.", param=f"{at}.{name}")
    calls = [_call(talk, *each) for each in _objects(message, "tool_calls", at)]
    items = (replace(each, item=_bare(each.item)) for each in kept.read(message, at, kept.RESPONSES))
    usable = [each for each in items if _usable(each.item, stored=talk.stored)]
    yield from kept.woven(usable, list(_said(message, at)), calls)


def _said(message: JsonObject, at: str) -> Iterator[JsonObject]:
    said = content.answered(message.get("content"), f"{at}.content")
    refusal = message.get("refusal")
    if refusal:
        parts = [{"type": "output_text", "text": said}] if isinstance(said, str) and said else said or []
        said = [*parts, {"type": "refusal", "refusal": shape.text(refusal, f"{at}.refusal")}]
    if said:
        yield {"role": "assistant", "content": said}


def _bare(item: JsonObject) -> JsonObject:
    # A state of its own is what the API gives and does not take.
    return {name: value for name, value in item.items() if name != "status" and value is not None}


def _usable(item: JsonObject, *, stored: bool) -> bool:
    """Whether the provider can read it: an id alone is unknown to it where it does not store answers."""
    return stored or item.get("type") != "reasoning" or "encrypted_content" in item


def _call(talk: _Talk, call: JsonObject, at: str) -> JsonObject:
    call_id = shape.text(call.get("id"), f"{at}.id")
    rest = _rest(call, "id", "type", "index", "function", "custom", *echoed.FIELDS)
    if "function" not in call and "custom" in call:
        talk.custom.add(call_id)
        custom = shape.mapping(call["custom"], f"{at}.custom")
        name, given = (shape.text(custom.get(key), f"{at}.custom.{key}") for key in ("name", "input"))
        return {"type": "custom_tool_call", "call_id": call_id, "name": name, "input": given, **rest}
    function = shape.mapping(call.get("function"), f"{at}.function")
    name, given = (shape.text(function.get(key), f"{at}.function.{key}") for key in ("name", "arguments"))
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": given, **rest}


def _result(talk: _Talk, message: JsonObject, at: str) -> Iterator[JsonObject]:
    call_id = shape.text(message.get("tool_call_id"), f"{at}.tool_call_id")
    output = content.asked(message.get("content"), f"{at}.content")
    rest = _rest(message, "role", "content", "name", "tool_call_id")
    yield {"type": talk.result(call_id), "call_id": call_id, "output": output, **rest}


def _function(talk: _Talk, _message: JsonObject, at: str) -> Iterator[JsonObject]:
    raise UnsupportedParameter(
        f"`{talk.target.name}` cannot take `{at}` of the deprecated role `function`. Use `tools`.", param=at
    )


def _objects(message: JsonObject, name: str, at: str) -> Iterator[tuple[JsonObject, str]]:
    for index, item in enumerate(shape.listing(message.get(name) or [], f"{at}.{name}")):
        place = f"{at}.{name}[{index}]"
        yield shape.mapping(item, place), place


def _rest(given: JsonObject, *translated: str) -> JsonObject:
    return {name: value for name, value in given.items() if name not in translated and value is not None}


_RESULTS = frozenset({"tool", "function"})
"""Roles whose `name` only repeats the call's."""

_ROLES: Mapping[str, Callable[[_Talk, JsonObject, str], Iterator[JsonObject]]] = {
    "system": _asking,
    "developer": _asking,
    "user": _asking,
    "assistant": _assistant,
    "tool": _result,
    "function": _function,
}
