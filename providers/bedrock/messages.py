"""The conversation: OpenAI's messages → Converse's `system` and `messages`.

System and developer messages are hoisted, wherever they stand. Neighbours of one role become one message, because
Converse wants turns, and all results of a turn's calls in one message. A message without content is left out. So is
reasoning that clients echo from earlier answers, but for signed `thinking_blocks`, which go first and verbatim.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from providers import shape
from providers.bedrock.content import blocks, cache_point
from providers.errors import RequestRejected, UnsupportedParameter
from providers.types import Json, JsonObject

_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(slots=True)
class Conversation:
    """What is being built while reading the messages in order."""

    system: list[JsonObject] = field(default_factory=list)
    messages: list[JsonObject] = field(default_factory=list)
    function_calls: int = 0
    """The deprecated function calls so far. They have no ids: a result answers the latest call."""

    def append(self, role: str, found: list[JsonObject]) -> None:
        """Add to the turn of this role."""
        if not found:
            return
        if self.messages and self.messages[-1]["role"] == role:
            self.messages[-1]["content"] += found
        else:
            self.messages.append({"role": role, "content": found})

    @property
    def tools(self) -> list[str]:
        """Name the tools that were called, each once."""
        used = (
            block["toolUse"]
            for message in self.messages
            for block in message["content"]
            if "toolUse" in block
        )
        return list(dict.fromkeys(use["name"] for use in used))


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
            raise UnsupportedParameter(
                f"Bedrock cannot take `{at}.name`. To send messages without it, put `drop: [name]` on the provider.",
                param=f"{at}.name",
            )
        _ROLES[role](result, message, at)
    if not result.messages:
        raise RequestRejected("`messages` must hold a user message that is not empty.", param="messages")
    return result


def call_id(id: str) -> str:
    """Give the id if every model takes it, else always the same other one for it."""
    if _ID.fullmatch(id):
        return id
    return "call_" + hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _system(talk: Conversation, message: JsonObject, at: str) -> None:
    talk.system += [*blocks(message.get("content"), f"{at}.content"), *cache_point(message)]


def _user(talk: Conversation, message: JsonObject, at: str) -> None:
    talk.append("user", [*blocks(message.get("content"), f"{at}.content"), *cache_point(message)])


def _assistant(talk: Conversation, message: JsonObject, at: str) -> None:
    if message.get("audio") is not None:
        raise UnsupportedParameter(f"Bedrock cannot take `{at}.audio`.", param=f"{at}.audio")
    found = [_thought(thought, where) for thought, where in _objects(message, "thinking_blocks", at)]
    found += blocks(message.get("content"), f"{at}.content")
    found += blocks(message.get("refusal"), f"{at}.refusal")
    found += [_tool_use(call, where) for call, where in _objects(message, "tool_calls", at)]
    if message.get("function_call") is not None:
        talk.function_calls += 1
        found.append(_use(_function_id(talk), message["function_call"], f"{at}.function_call"))
    talk.append("assistant", [*found, *cache_point(message)])


def _tool(talk: Conversation, message: JsonObject, at: str) -> None:
    answered = call_id(shape.text(message.get("tool_call_id"), f"{at}.tool_call_id"))
    talk.append("user", [_result(answered, message, at), *cache_point(message)])


def _function(talk: Conversation, message: JsonObject, at: str) -> None:
    talk.append("user", [_result(_function_id(talk), message, at)])


def _function_id(talk: Conversation) -> str:
    return f"call_{talk.function_calls}"


def _objects(message: JsonObject, name: str, at: str) -> list[tuple[JsonObject, str]]:
    found = shape.listing(message.get(name) or [], f"{at}.{name}")
    return [(shape.mapping(item, f"{at}.{name}[{i}]"), f"{at}.{name}[{i}]") for i, item in enumerate(found)]


def _thought(block: JsonObject, at: str) -> JsonObject:
    if block.get("type") == "redacted_thinking":
        return {"reasoningContent": {"redactedContent": shape.text(block.get("data"), f"{at}.data")}}
    signed = {"signature": block["signature"]} if block.get("signature") else {}
    text = shape.text(block.get("thinking"), f"{at}.thinking")
    return {"reasoningContent": {"reasoningText": {"text": text, **signed}}}


def _result(id: str, message: JsonObject, at: str) -> JsonObject:
    failed = {"status": "error"} if message.get("is_error") is True else {}
    found = blocks(message.get("content"), f"{at}.content")
    return {"toolResult": {"toolUseId": id, "content": found, **failed}}


def _tool_use(call: JsonObject, at: str) -> JsonObject:
    if "function" not in call and call.get("type") == "custom":
        raise UnsupportedParameter(f"`{at}` is a custom tool call, which Bedrock cannot take.", param=at)
    return _use(call_id(shape.text(call.get("id"), f"{at}.id")), call.get("function"), f"{at}.function")


def _use(id: str, function: Json, at: str) -> JsonObject:
    function = shape.mapping(function, at)
    name = shape.text(function.get("name"), f"{at}.name")
    return {
        "toolUse": {
            "toolUseId": id,
            "name": name,
            "input": shape.arguments(function.get("arguments"), f"{at}.arguments"),
        }
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
