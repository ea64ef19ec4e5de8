"""The conversation: OpenAI's messages → Cohere's.

Texts, pictures, calls and results have nearly the same shape. `thinking_blocks`, `tool_plan` and
`citations` are what answers of this dialect carry beside OpenAI's fields, and go back as they came.
Reasoning of other vendors, which clients echo too, is left out: Cohere's models do not know it.

Wire format: https://docs.cohere.com/reference/chat (messages).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from providers import echoed, shape
from providers.cohere.names import theirs
from providers.errors import RequestRejected, UnsupportedParameter
from providers.types import Json, JsonObject, Target

_ECHOED = (echoed.FIELDS - {"citations", "tool_plan"}) | {"audio", "name", "refusal"}


def messages(value: Json, target: Target) -> list[JsonObject]:
    """Translate the whole list. Raises `RequestRejected`, `UnsupportedParameter`.

    Participants' names are refused where nobody has said that they may be left out.
    """
    keep_names = target.quirks.message_names and "name" not in target.drop
    result = []
    for index, item in enumerate(shape.listing(value, "messages")):
        at = f"messages[{index}]"
        message = shape.mapping(item, at)
        role = shape.text(message.get("role"), f"{at}.role")
        if role not in _ROLES:
            raise RequestRejected(f"`{at}.role` must be one of {', '.join(_ROLES)}.", param=f"{at}.role")
        if keep_names and message.get("name") is not None and role != "tool":
            raise UnsupportedParameter(
                f"`{target.name}` cannot take `{at}.name`. To send messages without it, put `drop: [name]` on the provider.",
                param=f"{at}.name",
            )
        result.append(_ROLES[role](message, at))
    return result


def _rest(message: JsonObject, *translated: str) -> JsonObject:
    known = {"role", *_ECHOED, *translated}
    return {name: value for name, value in message.items() if name not in known and value is not None}


def _system(message: JsonObject, at: str) -> JsonObject:
    content = _content(message.get("content"), f"{at}.content")
    return {"role": "system", "content": content, **_rest(message, "content")}


def _user(message: JsonObject, at: str) -> JsonObject:
    content = _content(message.get("content"), f"{at}.content")
    return {"role": "user", "content": content, **_rest(message, "content")}


def _tool(message: JsonObject, at: str) -> JsonObject:
    return {
        "role": "tool",
        "tool_call_id": shape.text(message.get("tool_call_id"), f"{at}.tool_call_id"),
        "content": _content(message.get("content"), f"{at}.content"),
        **_rest(message, "content", "tool_call_id"),
    }


def _assistant(message: JsonObject, at: str) -> JsonObject:
    for name in ("function_call", "audio"):
        if message.get(name) is not None:
            raise UnsupportedParameter(
                f"Cohere cannot take `{at}.{name}`. Send text and `tool_calls`.", param=f"{at}.{name}"
            )
    said = {"role": "assistant", **_rest(message, "content", "tool_calls", "citations", "function_call")}
    if content := _said(message, at):
        said["content"] = content
    calls = shape.listing(message.get("tool_calls") or [], f"{at}.tool_calls")
    if calls:
        said["tool_calls"] = [_call(call, f"{at}.tool_calls[{i}]") for i, call in enumerate(calls)]
    citations = shape.listing(message.get("citations") or [], f"{at}.citations")
    if citations:
        said["citations"] = [_unnumbered(each) for each in citations]
    return said


def _said(message: JsonObject, at: str) -> Json:
    """Give thoughts and texts; a text alone stays one."""
    thoughts = shape.listing(message.get("thinking_blocks") or [], f"{at}.thinking_blocks")
    found = [_unnumbered(each) for each in thoughts if _is_theirs(each)]
    content = message.get("content")
    if content is None:
        content = message.get("refusal") or ""
    content = _content(content, f"{at}.content")
    if not found:
        return content
    return found + (
        [{"type": "text", "text": content}] if isinstance(content, str) and content else content or []
    )


def _is_theirs(block: Json) -> bool:
    # Anthropic's carry a signature, which only Anthropic can read.
    return isinstance(block, dict) and block.get("type") == "thinking" and not block.get("signature")


def _unnumbered(item: Json) -> Json:
    # `index` is ours: it numbers the items in a stream.
    return {k: v for k, v in item.items() if k != "index"} if isinstance(item, dict) else item


def _call(value: Json, at: str) -> JsonObject:
    call = shape.mapping(value, at)
    if "function" not in call:
        raise UnsupportedParameter(
            f"`{at}` is no call of a function, which is all that Cohere takes.", param=at
        )
    function = shape.mapping(call["function"], f"{at}.function")
    name = theirs(shape.text(function.get("name"), f"{at}.function.name"))
    arguments = shape.text(function.get("arguments"), f"{at}.function.arguments")
    return {
        "id": shape.text(call.get("id"), f"{at}.id"),
        "type": "function",
        "function": {"name": name, "arguments": arguments if arguments.strip() else "{}"},
    }


def _content(value: Json, at: str) -> Json:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise shape.wrong(at, "a string or an array of parts", value)
    return [_part(part, f"{at}[{index}]") for index, part in enumerate(value)]


def _part(value: Json, at: str) -> JsonObject:
    part = shape.mapping(value, at)
    kind = shape.text(part.get("type"), f"{at}.type")
    if kind in _FOREIGN:
        raise UnsupportedParameter(
            f"`{at}` is {_FOREIGN[kind]}, which Cohere cannot take. Send text or images, or put texts into `documents`.",
            param=at,
        )
    if kind == "refusal":
        return {"type": "text", "text": shape.text(part.get("refusal"), f"{at}.refusal")}
    return {name: item for name, item in part.items() if name != "prompt_cache_breakpoint"}


_FOREIGN = {"input_audio": "audio", "file": "a file"}

_ROLES: Mapping[str, Callable[[JsonObject, str], JsonObject]] = {
    "system": _system,
    "developer": _system,
    "user": _user,
    "assistant": _assistant,
    "tool": _tool,
}
