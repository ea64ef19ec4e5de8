"""Images by way of chat: the prompt is a message, and what is said in answer is the picture's address (docs.blackbox.ai)."""

from __future__ import annotations

import re

from providers.errors import MalformedResponse, UnsupportedParameter
from providers.openai import request, wire
from providers.openai.plain import Plain
from providers.types import Call, HttpRequest, JsonObject, Target, Usage

_ADDRESS = re.compile(r"(?:!\[[^\]]*\]\()?((?:https?://|data:image/)[^\s)]+)\)?")
"""Bare, or as Markdown has pictures."""


def _build(call: Call, target: Target) -> HttpRequest:
    fields = request.fields(call, target)
    for name, only in (("n", (None, 1)), ("response_format", (None, "url")), ("stream", (None, False))):
        if fields.get(name) not in only:
            raise UnsupportedParameter(
                f"`{target.provider}` makes one image for a call and gives its URL: leave `{name}` out.",
                param=name,
            )
    body = {"model": target.model, "messages": [{"role": "user", "content": fields.get("prompt")}]}
    return request.post(call, target, wire.CHAT.path, request.written(body))


def _read(call: Call, _target: Target, answer: JsonObject) -> tuple[JsonObject, Usage | None]:
    choice = next(iter(wire.objects(answer.get("choices"), "the list of choices")), {})
    message = choice.get("message")
    said = message.get("content") if isinstance(message, dict) else None
    found = _ADDRESS.fullmatch(said.strip()) if isinstance(said, str) else None
    if found is None:
        raise MalformedResponse("the provider did not answer with the address of an image")
    created = wire.whole_number(answer.get("created"))
    return {
        "created": call.created if created is None else created,
        "data": [{"url": found[1]}],
    }, Usage(images=1)


ADAPTER = Plain(build=_build, read=_read)
