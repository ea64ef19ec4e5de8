"""JSON as this dialect puts it on the wire."""

from __future__ import annotations

import json
from typing import NamedTuple

import msgspec

from providers.errors import MalformedResponse
from providers.types import Call, Json, JsonObject

UNREADABLE = (ValueError, RecursionError)
"""All that msgspec raises for bytes that are no JSON: its errors and bad UTF-8 are ValueErrors."""


class Shape(NamedTuple):
    """What tells one operation's bodies from another's (https://platform.openai.com/docs/api-reference)."""

    path: str
    id_prefix: str
    object: str
    chunk_object: str
    message: str | None
    """The field of a choice that holds the answer; its chunks say `delta`. None: the choice itself has `text`."""


CHAT = Shape("/chat/completions", "chatcmpl-", "chat.completion", "chat.completion.chunk", "message")
COMPLETIONS = Shape("/completions", "cmpl-", "text_completion", "text_completion", None)


def decode(data: bytes, what: str) -> Json:
    """Read JSON. Raises `MalformedResponse` that calls the bytes `what`."""
    try:
        return msgspec.json.decode(data)
    except UNREADABLE as error:
        raise MalformedResponse(f"{what} is not JSON") from error


def decode_object(data: bytes, what: str) -> JsonObject:
    """Read a JSON object. Raises `MalformedResponse` that calls the bytes `what`."""
    value = decode(data, what)
    if not isinstance(value, dict):
        raise MalformedResponse(f"{what} is not a JSON object")
    return value


def encode(value: Json) -> bytes:
    """Write JSON on one line, in UTF-8. Raises `RecursionError` for what is nested too deep."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        # A lone surrogate has no UTF-8, but JSON can escape it, and that is how it came.
        return json.dumps(value, separators=(",", ":")).encode()


def encode_answer(value: Json, what: str) -> bytes:
    """Write JSON that came from a provider. Raises `MalformedResponse` that calls it `what`."""
    try:
        return encode(value)
    except RecursionError as error:
        raise MalformedResponse(f"{what} is nested too deep") from error


def text_or_none(value: Json) -> str | None:
    """Give the value if it is a text with something in it."""
    return value if isinstance(value, str) and value else None


def objects(value: Json, what: str) -> list[JsonObject]:
    """Give the value as a list of objects, null as an empty one. Raises `MalformedResponse` that calls it `what`."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise MalformedResponse(f"{what} is not a list of objects")
    return value


def whole_number(value: Json) -> int | None:
    """Give the value if it is a number ≥ 0 without a fraction, within what a 64-bit float tells apart."""
    if type(value) is int:
        return value if 0 <= value <= 2**53 else None
    if not isinstance(value, float):
        return None
    if not 0 <= value <= 2**53 or value != int(value):
        return None
    return int(value)


def fill_envelope(body: JsonObject, call: Call, model: str, shape: Shape, *, chunk: bool) -> None:
    """Give an answer the fields every OpenAI answer has, where the provider left them out."""
    body["id"] = text_or_none(body.get("id")) or shape.id_prefix + call.id
    body["object"] = shape.chunk_object if chunk else shape.object
    created = whole_number(body.get("created"))
    body["created"] = call.created if created is None else created
    body["model"] = text_or_none(body.get("model")) or model
    if body.get("system_fingerprint") == "None":
        # Blackbox prints Python's None as a text.
        body["system_fingerprint"] = None
