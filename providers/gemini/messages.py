"""The conversation: OpenAI's messages → Gemini's `systemInstruction` and `contents`.

System and developer messages are hoisted, wherever they stand. Neighbours of one kind become one
content, because Gemini wants the results of all calls of a turn together; results and a user's
words stay apart. A message without content is left out. `reasoning_content` and the like, which
clients echo from earlier answers, are left out: the model takes its thoughts back as signatures only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from providers import echoed, kept, shape
from providers.errors import RequestRejected, UnsupportedParameter
from providers.gemini import signatures
from providers.gemini.choice import DIALECT
from providers.gemini.content import parts
from providers.types import Json, JsonObject, Target

_ECHOED = echoed.FIELDS | {"audio", "name"}


@dataclass(slots=True)
class Conversation:
    """What is being built while reading the messages in order."""

    signed: bool
    """Whether the model refuses calls without a signature."""
    system: list[JsonObject] = field(default_factory=list)
    contents: list[JsonObject] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    """The function of each call so far, by the call's id."""
    kind: str = ""
    """What the last content is made of."""

    def append(self, kind: str, found: list[JsonObject], rest: JsonObject) -> None:
        """Add a turn of these parts; `rest` is what else the message holds."""
        if not found:
            return
        if kind == self.kind and not rest:
            self.contents[-1]["parts"] += found
        else:
            self.contents.append({"role": _SPEAKERS[kind], "parts": found, **rest})
        self.kind = kind


_SPEAKERS = {"words": "user", "results": "user", "answer": "model"}


def conversation(messages: Json, target: Target, *, keep_names: bool, signed: bool) -> Conversation:
    """Translate the whole list. Raises `RequestRejected`, `UnsupportedParameter`.

    `keep_names`: refuse participants' names, because nobody has said that they may be left out.
    `signed`: give a call that has no signature the one that stands for none.
    """
    result = Conversation(signed)
    for index, item in enumerate(shape.listing(messages, "messages")):
        at = f"messages[{index}]"
        message = shape.mapping(item, at)
        role = shape.text(message.get("role"), f"{at}.role")
        if role not in _ROLES:
            raise RequestRejected(f"`{at}.role` must be one of {', '.join(_ROLES)}.", param=f"{at}.role")
        if keep_names and message.get("name") is not None and role not in _RESULTS:
            raise _misplaced(f"{at}.name", target, "put `drop: [name]` on the provider")
        if message.get("audio") is not None:
            raise _misplaced(f"{at}.audio", target, "send its transcript as `content`")
        _ROLES[role](result, message, at)
    if not result.contents:
        raise RequestRejected("`messages` must hold a user message that is not empty.", param="messages")
    return result


def _misplaced(at: str, target: Target, instead: str) -> UnsupportedParameter:
    return UnsupportedParameter(
        f"`{target.name}` cannot take `{at}`. To send messages without it, {instead}.", param=at
    )


def _system(talk: Conversation, message: JsonObject, at: str) -> None:
    talk.system += parts(message.get("content"), f"{at}.content")


def _user(talk: Conversation, message: JsonObject, at: str) -> None:
    talk.append("words", parts(message.get("content"), f"{at}.content"), _rest(message, "content"))


def _assistant(talk: Conversation, message: JsonObject, at: str) -> None:
    found = parts(message.get("content"), f"{at}.content") + parts(message.get("refusal"), f"{at}.refusal")
    if signature := signatures.read(message, at):
        *before, last = found or [{"text": ""}]
        found = [*before, {**last, **signature}]
    found += _images(message, at)
    found = [*kept.woven(kept.read(message, at, DIALECT), found, _calls(talk, message, at))]
    talk.append(
        "answer", found, _rest(message, "content", "refusal", "images", "tool_calls", "function_call")
    )


def _images(message: JsonObject, at: str) -> list[JsonObject]:
    """Give the pictures that an earlier answer has drawn; `index` is ours: it numbers them in a stream."""
    found = []
    for index, item in enumerate(shape.listing(message.get("images") or [], f"{at}.images")):
        place = f"{at}.images[{index}]"
        image = shape.mapping(item, place)
        plain = {name: value for name, value in image.items() if name not in {"index", "extra_content"}}
        found += [{**part, **signatures.read(image, place)} for part in parts([plain], place)]
    return found


def _calls(talk: Conversation, message: JsonObject, at: str) -> list[JsonObject]:
    found = []
    for index, item in enumerate(shape.listing(message.get("tool_calls") or [], f"{at}.tool_calls")):
        place = f"{at}.tool_calls[{index}]"
        call = shape.mapping(item, place)
        if "function" not in call and call.get("type") == "custom":
            raise UnsupportedParameter(
                f"`{place}` is a custom tool call, which Gemini cannot take.", param=place
            )
        call_id = shape.text(call.get("id"), f"{place}.id")
        made = _call(call.get("function"), f"{place}.function")
        talk.names[call_id] = made["name"]
        found.append({"functionCall": {"id": call_id, **made}, **signatures.read(call, place)})
    if message.get("function_call") is not None:
        found.append({"functionCall": _call(message["function_call"], f"{at}.function_call")})
    if found and talk.signed:
        found[0].setdefault("thoughtSignature", signatures.NOBODYS)
    return found


def _call(given: Json, at: str) -> JsonObject:
    function = shape.mapping(given, at)
    name = shape.text(function.get("name"), f"{at}.name")
    text = shape.text(function.get("arguments"), f"{at}.arguments")
    arguments = _object(text) if text.strip() else {}
    if arguments is None:
        raise RequestRejected(f"`{at}.arguments` must be a JSON object in a string.", param=f"{at}.arguments")
    return {"name": name, "args": arguments}


def _tool(talk: Conversation, message: JsonObject, at: str) -> None:
    answered = shape.text(message.get("tool_call_id"), f"{at}.tool_call_id")
    name = talk.names.get(answered, message.get("name"))
    if name is None:
        raise RequestRejected(
            f"`{at}.tool_call_id` is the id of no tool call in the messages before it.",
            param=f"{at}.tool_call_id",
        )
    result = _result({"id": answered, "name": name}, message, at)
    talk.append("results", [{"functionResponse": result}], {})


def _function(talk: Conversation, message: JsonObject, at: str) -> None:
    name = shape.text(message.get("name"), f"{at}.name")
    talk.append("results", [{"functionResponse": _result({"name": name}, message, at)}], {})


def _result(answered: JsonObject, message: JsonObject, at: str) -> JsonObject:
    """Give a result: an object as it is, any other text as its `result`, images and files beside it."""
    found = parts(message.get("content"), f"{at}.content")
    text = "".join(part["text"] for part in found if isinstance(part.get("text"), str))
    media = [part for part in found if "text" not in part]
    answer = _object(text)
    result = {**answered, "response": {"result": text} if answer is None else answer}
    if media:
        result["parts"] = media
    return {**result, **_rest(message, "content", "tool_call_id")}


def _object(text: str) -> JsonObject | None:
    try:
        return msgspec.json.decode(text, type=JsonObject)
    except (ValueError, RecursionError):
        return None


def _rest(message: JsonObject, *translated: str) -> JsonObject:
    known = {"role", *_ECHOED, *translated}
    return {name: value for name, value in message.items() if name not in known and value is not None}


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
