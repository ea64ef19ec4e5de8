"""The conversation: OpenAI's messages → Anthropic's `system` and `messages`.

System and developer messages are hoisted, wherever they stand. Neighbouring user turns become one
message, because Anthropic wants all results of a turn's calls at the start of the next message. A
message without content is left out. `reasoning_content` and the like, which clients echo from
earlier answers, are left out: the model takes reasoning back only as signed `thinking_blocks`,
which go first and verbatim. What else a message holds travels untouched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from providers import echoed, kept, shape
from providers.anthropic import tools
from providers.anthropic.blocks import DIALECT
from providers.anthropic.content import blocks
from providers.errors import RequestRejected, UnsupportedParameter
from providers.types import Json, JsonObject

_ECHOED = echoed.FIELDS | {"audio", "name"}


@dataclass(slots=True)
class Conversation:
    """What is being built while reading the messages in order."""

    system: list[JsonObject] = field(default_factory=list)
    messages: list[JsonObject] = field(default_factory=list)
    function_calls: int = 0
    """The deprecated function calls so far. They have no ids: a result answers the latest call."""

    def append(self, role: str, found: list[JsonObject], rest: JsonObject) -> None:
        """Add a turn of these blocks; `rest` is what else the message holds."""
        if not found:
            return
        if "cache_control" in rest:
            found[-1] = {**found[-1], "cache_control": rest.pop("cache_control")}
        last = self.messages[-1] if self.messages else {}
        if role == "user" and last.get("role") == "user" and not rest:
            last["content"] += found
        else:
            self.messages.append({"role": role, "content": found, **rest})


def conversation(messages: Json, *, keep_names: bool) -> Conversation:
    """Translate the whole list. Raises `RequestRejected`, `UnsupportedParameter`.

    `keep_names`: refuse participants' names, because nobody has said that they may be left out.
    """
    result = Conversation()
    for index, item in enumerate(shape.listing(messages, "messages")):
        at = f"messages[{index}]"
        message = shape.mapping(item, at)
        role = shape.text(message.get("role"), f"{at}.role")
        if role not in _ROLES:
            raise RequestRejected(f"`{at}.role` must be one of {', '.join(_ROLES)}.", param=f"{at}.role")
        if keep_names and message.get("name") is not None and role not in _RESULTS:
            raise _named(at)
        _ROLES[role](result, message, at)
    if not result.messages:
        raise RequestRejected("`messages` must hold a user message that is not empty.", param="messages")
    return result


def _named(at: str) -> UnsupportedParameter:
    return UnsupportedParameter(
        f"Anthropic cannot take `{at}.name`. To send messages without it, put `drop: [name]` on the provider.",
        param=f"{at}.name",
    )


def _system(talk: Conversation, message: JsonObject, at: str) -> None:
    found = blocks(message.get("content"), f"{at}.content")
    if found:
        found[-1] = {**found[-1], **_rest(message, "content")}
    talk.system += found


def _user(talk: Conversation, message: JsonObject, at: str) -> None:
    talk.append("user", blocks(message.get("content"), f"{at}.content"), _rest(message, "content"))


def _assistant(talk: Conversation, message: JsonObject, at: str) -> None:
    if message.get("audio") is not None:
        raise UnsupportedParameter(f"Anthropic cannot take `{at}.audio`.", param=f"{at}.audio")
    # `index` is ours: it numbers the blocks in a stream.
    thoughts = _objects(message, "thinking_blocks", at)
    found: list[JsonObject] = [
        {k: v for k, v in block.items() if k != "index"} for block in thoughts if _is_theirs(block)
    ]
    said = blocks(message.get("content"), f"{at}.content") + blocks(message.get("refusal"), f"{at}.refusal")
    used = [
        _tool_use(call, f"{at}.tool_calls[{i}]") for i, call in enumerate(_objects(message, "tool_calls", at))
    ]
    if message.get("function_call") is not None:
        talk.function_calls += 1
        used.append(_use(_function_id(talk), message["function_call"], f"{at}.function_call"))
    found += kept.woven(kept.read(message, at, DIALECT), said, used)
    translated = ("thinking_blocks", "content", "refusal", "tool_calls", "function_call")
    talk.append("assistant", found, _rest(message, *translated))


def _is_theirs(block: JsonObject) -> bool:
    # Thoughts of another vendor have no signature, without which they are a 400.
    return block.get("type") != "thinking" or bool(block.get("signature"))


def _tool(talk: Conversation, message: JsonObject, at: str) -> None:
    answered = tools.call_id(shape.text(message.get("tool_call_id"), f"{at}.tool_call_id"))
    talk.append("user", [_result(answered, message, at)], {})


def _function(talk: Conversation, message: JsonObject, at: str) -> None:
    talk.append("user", [_result(_function_id(talk), message, at)], {})


def _function_id(talk: Conversation) -> str:
    return f"call_{talk.function_calls}"


def _objects(message: JsonObject, name: str, at: str) -> list[JsonObject]:
    found = shape.listing(message.get(name) or [], f"{at}.{name}")
    return [shape.mapping(item, f"{at}.{name}[{i}]") for i, item in enumerate(found)]


def _rest(message: JsonObject, *translated: str) -> JsonObject:
    known = {"role", *_ECHOED, *translated}
    return {name: value for name, value in message.items() if name not in known and value is not None}


def _result(id: str, message: JsonObject, at: str) -> JsonObject:
    content = message.get("content")
    if not isinstance(content, str):
        content = blocks(content, f"{at}.content")
    rest = _rest(message, "content", "tool_call_id")
    return {"type": "tool_result", "tool_use_id": id, "content": content, **rest}


def _tool_use(call: JsonObject, at: str) -> JsonObject:
    if "function" not in call and call.get("type") == "custom":
        raise UnsupportedParameter(f"`{at}` is a custom tool call, which Anthropic cannot take.", param=at)
    return _use(tools.call_id(shape.text(call.get("id"), f"{at}.id")), call.get("function"), f"{at}.function")


def _use(id: str, function: Json, at: str) -> JsonObject:
    function = shape.mapping(function, at)
    name = shape.text(function.get("name"), f"{at}.name")
    return {
        "type": "tool_use",
        "id": id,
        "name": name,
        "input": shape.arguments(function.get("arguments"), f"{at}.arguments"),
    }


_RESULTS = frozenset({"tool", "function"})
"""Roles whose `name` only repeats the call's."""

_ROLES: Mapping[str, Callable[[Conversation, JsonObject, str], None]] = {
    "system": _system,
    "developer": _system,
    "user": _user,
    "assistant": _assistant,
    "tool": _tool,
    "function": _function,
}
