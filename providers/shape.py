"""What a field must be: the value itself, or the refusal that says what would be right."""

from __future__ import annotations

import msgspec

from providers.errors import RequestRejected
from providers.types import Json, JsonObject


def text(value: Json, at: str) -> str:
    """Give the value if it is a string. Raises `RequestRejected`; `at` is its place in the body."""
    if isinstance(value, str):
        return value
    raise wrong(at, "a string", value)


def mapping(value: Json, at: str) -> JsonObject:
    """Give the value if it is an object. Raises `RequestRejected`."""
    if isinstance(value, dict):
        return value
    raise wrong(at, "an object", value)


def listing(value: Json, at: str) -> list[Json]:
    """Give the value if it is an array. Raises `RequestRejected`."""
    if isinstance(value, list):
        return value
    raise wrong(at, "an array", value)


def number(value: Json, at: str) -> float:
    """Give the value if it is a number. Raises `RequestRejected`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise wrong(at, "a number", value)


def flag(value: Json, at: str) -> bool:
    """Give the value if it is a boolean. Raises `RequestRejected`."""
    if isinstance(value, bool):
        return value
    raise wrong(at, "true or false", value)


def arguments(value: Json, at: str) -> JsonObject:
    """Give the arguments of a tool call, an object in a string; a blank one is empty. Raises `RequestRejected`."""
    given = text(value, at)
    if not given.strip():
        return {}
    try:
        return msgspec.json.decode(given, type=JsonObject)
    except (ValueError, RecursionError):
        raise RequestRejected(f"`{at}` must be a JSON object in a string.", param=at) from None


def data_url(value: Json, at: str) -> tuple[str, str]:
    """Give media type and base64 of a `data:` URL (RFC 2397). Raises `RequestRejected`."""
    header, comma, data = text(value, at).partition(",")
    scheme, _, details = header.partition(":")
    media_type, *parameters = details.split(";")
    if scheme != "data" or not comma or "base64" not in parameters:
        raise RequestRejected(f"`{at}` must look like data:<media type>;base64,<data>.", param=at)
    return media_type.strip().lower(), data


def wrong(at: str, expected: str, value: Json) -> RequestRejected:
    """Give the refusal for a value of the wrong kind. The value itself is not repeated."""
    return RequestRejected(f"`{at}` must be {expected}, not {_NAMES.get(type(value), 'this')}.", param=at)


_NAMES: dict[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}
