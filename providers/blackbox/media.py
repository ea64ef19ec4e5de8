"""Pictures and videos by way of chat: the prompt is a message, and what is said in answer is the file's address (docs.blackbox.ai)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from providers.asked import unsupported
from providers.errors import MalformedResponse
from providers.openai import request, wire
from providers.types import Call, HttpRequest, Json, JsonObject, Target

_ADDRESS = re.compile(r"(?:!\[[^\]]*\]\()?((?:https?://|data:(?:image|video)/)[^\s)]+)\)?")
"""Bare, or as Markdown has pictures."""
_ASKED = frozenset({"model", "prompt"})
_ANYWAY: Mapping[str, Json] = MappingProxyType({"n": 1, "response_format": "url", "stream": False})
"""What holds of every answer."""


def build(call: Call, target: Target) -> HttpRequest:
    """Ask for one file. Raises `UnsupportedParameter` for all that a prompt does not say."""
    fields = request.fields(call, target)
    given = {name: value for name, value in fields.items() if name not in _ASKED and value is not None}
    given |= {file.name: file for file in call.files}
    for name, value in given.items():
        if name not in _ANYWAY or value != _ANYWAY[name]:
            raise unsupported(name, target, "It takes a prompt, makes one file of it and gives its URL. ")
    body = {"model": target.model, "messages": [{"role": "user", "content": fields.get("prompt")}]}
    return request.post(call, target, wire.CHAT.path, request.written(body))


def address(answer: JsonObject) -> str:
    """Give the URL that is all of what was said. Raises `MalformedResponse`."""
    choice = next(iter(wire.objects(answer.get("choices"), "the list of choices")), {})
    message = choice.get("message")
    said = message.get("content") if isinstance(message, dict) else None
    found = _ADDRESS.fullmatch(said.strip()) if isinstance(said, str) else None
    if found is None:
        raise MalformedResponse("the provider did not answer with the address of a file")
    return found[1]


def created(call: Call, answer: JsonObject) -> int:
    """Give when the file was made, in Unix seconds."""
    told = wire.whole_number(answer.get("created"))
    return call.created if told is None else told
