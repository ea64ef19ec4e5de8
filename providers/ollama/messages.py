"""The conversation: OpenAI's messages → Ollama's, whose content is a text with pictures beside it.

Wire format: https://docs.ollama.com/api/chat.
"""

from __future__ import annotations

from collections.abc import Mapping

from providers import echoed, shape
from providers.errors import RequestRejected, UnsupportedParameter
from providers.types import Json, JsonObject, Target

_ROLES: Mapping[str, str] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}

_TRANSLATED = frozenset(
    {"audio", "content", "function_call", "name", "refusal", "role", "tool_call_id", "tool_calls"}
)
_ANSWERED = _TRANSLATED | echoed.FIELDS


def messages(value: Json, target: Target) -> list[JsonObject]:
    """Translate the whole list. Raises `RequestRejected`, `UnsupportedParameter`.

    Participants' names are refused where nobody has said that they may be left out.
    """
    keep_names = target.quirks.message_names and "name" not in target.drop
    result: list[JsonObject] = []
    called: dict[str, str] = {}
    for index, item in enumerate(shape.listing(value, "messages")):
        at = f"messages[{index}]"
        message = shape.mapping(item, at)
        _check(message, at, keep_names=keep_names)
        result.append(_message(message, at, called))
    return result


def _check(message: JsonObject, at: str, *, keep_names: bool) -> None:
    role = shape.text(message.get("role"), f"{at}.role")
    if role not in _ROLES:
        raise RequestRejected(f"`{at}.role` must be one of {', '.join(_ROLES)}.", param=f"{at}.role")
    refused = ["function_call", "audio"]
    if keep_names and role != "tool":
        refused.append("name")
    for name in refused:
        if message.get(name) is not None:
            raise UnsupportedParameter(f"Ollama cannot take `{at}.{name}`.", param=f"{at}.{name}")


def _message(message: JsonObject, at: str, called: dict[str, str]) -> JsonObject:
    """Give one message; `called` has the names of the calls so far by their ids, and gets new ones."""
    content, pictures = _content(message.get("content") or message.get("refusal"), f"{at}.content")
    said: JsonObject = {"role": _ROLES[message["role"]], "content": content}
    if pictures:
        said["images"] = pictures
    if message["role"] == "assistant" and isinstance(thought := message.get("reasoning_content"), str):
        said["thinking"] = thought
    calls = shape.listing(message.get("tool_calls") or [], f"{at}.tool_calls")
    if calls:
        said["tool_calls"] = [_call(each, i, f"{at}.tool_calls[{i}]", called) for i, each in enumerate(calls)]
    if message["role"] == "tool":
        answered = shape.text(message.get("tool_call_id"), f"{at}.tool_call_id")
        named = {"tool_name": called[answered]} if answered in called else {}
        said |= {"tool_call_id": answered, **named}
    known = _ANSWERED if message["role"] == "assistant" else _TRANSLATED
    rest = {name: item for name, item in message.items() if name not in known and item is not None}
    return {**said, **rest}


def _content(value: Json, at: str) -> tuple[str, list[str]]:
    if value is None:
        return "", []
    if isinstance(value, str):
        return value, []
    if not isinstance(value, list):
        raise shape.wrong(at, "a string or an array of parts", value)
    texts: list[str] = []
    pictures: list[str] = []
    for index, part in enumerate(value):
        _add(shape.mapping(part, f"{at}[{index}]"), f"{at}[{index}]", texts, pictures)
    return "".join(texts), pictures


def _add(part: JsonObject, at: str, texts: list[str], pictures: list[str]) -> None:
    kind = shape.text(part.get("type"), f"{at}.type")
    if kind in {"text", "refusal"}:
        texts.append(shape.text(part.get(kind), f"{at}.{kind}"))
    elif kind == "image_url":
        pictures.append(_picture(part, f"{at}.image_url"))
    else:
        raise UnsupportedParameter(
            f"`{at}` is of type `{kind[:64]}`; Ollama takes text and images.", param=at
        )


def _picture(part: JsonObject, at: str) -> str:
    url = shape.text(shape.mapping(part.get("image_url"), at).get("url"), f"{at}.url")
    header, comma, data = url.partition(",")
    if url.startswith("data:") and comma and header.endswith(";base64"):
        return data
    # The gateway fetches nothing that a client names.
    raise UnsupportedParameter(
        f"`{at}.url` must look like data:<media type>;base64,<data>: Ollama fetches no pictures.",
        param=f"{at}.url",
    )


def _call(value: Json, index: int, at: str, called: dict[str, str]) -> JsonObject:
    call = shape.mapping(value, at)
    if "function" not in call:
        raise UnsupportedParameter(
            f"`{at}` is no call of a function, which is all that Ollama takes.", param=at
        )
    function = shape.mapping(call["function"], f"{at}.function")
    name = shape.text(function.get("name"), f"{at}.function.name")
    made = shape.text(call.get("id"), f"{at}.id")
    called[made] = name
    arguments = shape.arguments(function.get("arguments"), f"{at}.function.arguments")
    return {"id": made, "function": {"index": index, "name": name, "arguments": arguments}}
