"""The types of single settings: how each is written as text, and what it is once read.

Every one takes the typed value too, so that code and tests can build models directly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Never, TypeVar

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from providers.types import Secret

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
}
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*([a-z]*)")
_SIZE = re.compile(r"(\d{1,15})\s*([A-Za-z]*)")
_INTEGER = re.compile(r"0|[1-9]\d{0,17}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})")

_INTERPOLATED = r"\$\{"


def refuse(message: str, hint: str = "") -> Never:
    """Refuse a value: what is wrong, and what would be right."""
    raise PydanticCustomError("refused", "{said}", {"said": message, "hint": hint})


def duration(value: object) -> object:
    """Read `200ms`, `60s`, `5m`, `1h` or `1d` as seconds."""
    if not isinstance(value, str):
        return value if value is not None else refuse("must be a duration", "such as `60s`")
    match = _DURATION.fullmatch(value)
    if match is None or match[2] not in {"", *_SECONDS}:
        refuse(f"`{value}` is no duration", "write a number and one of ms, s, m, h, d: `60s`")
    if not match[2]:
        refuse(f"`{value}` has no unit", f"write `{value}s` for seconds; the units are ms, s, m, h, d")
    return float(match[1]) * _SECONDS[match[2]]


def duration_text(seconds: float) -> str:
    """Write seconds as `90d`, `1h`, `60s` or `200ms`: the way people write time-outs."""
    for unit in ("d", "h", "s", "ms"):
        count = seconds / _SECONDS[unit]
        if count >= 1 and count.is_integer():
            return f"{int(count)}{unit}"
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def size(value: object) -> object:
    """Read `32MiB`, `10MB` or `1024` as bytes."""
    if not isinstance(value, str):
        return value if value is not None else refuse("must be a size", "such as `32MiB`")
    match = _SIZE.fullmatch(value)
    if match is None or match[2] not in _BYTES:
        refuse(
            f"`{value}` is no size", "write bytes, or a number and one of kB, KiB, MB, MiB, GB, GiB: `32MiB`"
        )
    return int(match[1]) * _BYTES[match[2]]


def size_text(count: int) -> str:
    """Write bytes in the largest binary unit that holds them whole."""
    for unit in ("GiB", "MiB", "KiB"):
        if count and count % _BYTES[unit] == 0:
            return f"{count // _BYTES[unit]}{unit}"
    return str(count)


def integer(value: object) -> object:
    """Read a whole number, without signs, underscores or leading zeros."""
    if isinstance(value, str) and not _INTEGER.fullmatch(value):
        refuse(f"`{value}` is no whole number", "write digits alone, such as `4000`")
    return int(value) if isinstance(value, str) else value


def flag(value: object) -> object:
    """Read `true` or `false`, and no other word for them."""
    if isinstance(value, str) and value not in {"true", "false"}:
        refuse(f"`{value}` is neither true nor false", "write `true` or `false`")
    return value == "true" if isinstance(value, str) else value


def moment(value: object) -> object:
    """Read an RFC 3339 date-time, or a date as its first moment in UTC."""
    if not isinstance(value, str):
        return value
    hint = "write `2030-12-31` (its first moment in UTC) or `2030-12-31T18:00:00Z`"
    try:
        if _DATE.fullmatch(value):
            return datetime.combine(date.fromisoformat(value), time(), UTC)
        if _DATE_TIME.fullmatch(value):
            return datetime.fromisoformat(value.upper())
    except ValueError:
        refuse(f"`{value}` is no date that exists", hint)
    return refuse(f"`{value}` is no date in the RFC 3339 form", hint)


ReadsSecretFiles = Callable[[str], Secret]
"""Gives the secret that a file holds. Raises `ValueError` saying why it cannot."""


def secret(value: object, info: ValidationInfo) -> Secret:
    """Read a secret as text, or from the file that `{file: path}` names."""
    if isinstance(value, Secret):
        return value
    if isinstance(value, str):
        return Secret(value)
    if isinstance(value, Mapping) and set(value) == {"file"} and isinstance(value["file"], str):
        read: ReadsSecretFiles | None = (info.context or {}).get("read_secret")
        if read is None:
            refuse("a secret's file cannot be read here")
        try:
            return read(value["file"])
        except ValueError as error:
            refuse(str(error), "the file must hold the secret alone")
    return refuse("must be a secret", 'write a text, "${NAME}", or {file: /run/secrets/name}')


def none_is_empty(empty: Callable[[], object]) -> BeforeValidator:
    """Read a key with nothing behind it as the empty list or mapping."""
    return BeforeValidator(lambda value: empty() if value is None else value)


def textual(schema: Mapping[str, Any], pattern: str) -> WithJsonSchema:
    """Give the schema for editors: the typed form, its text, or a text that is interpolated."""
    return WithJsonSchema(
        {"anyOf": [dict(schema), {"type": "string", "pattern": f"{_INTERPOLATED}|^(?:{pattern})$"}]}
    )


_BOUNDS = {"minimum": 0}
_UNITS = "|".join(_SECONDS)
DURATION_SCHEMA = {
    "type": "string",
    "pattern": rf"{_INTERPOLATED}|^\d+(?:\.\d+)?\s*(?:{_UNITS})$",
    "examples": ["60s", "200ms"],
}
_DURATION_SCHEMA = WithJsonSchema(DURATION_SCHEMA)
_DURATION_TEXT = PlainSerializer(duration_text, return_type=str, when_used="json")

Text = Annotated[
    str, Field(min_length=1), WithJsonSchema({"type": ["string", "number", "boolean"], "minLength": 1})
]
"""A text that is not empty. To an editor `10.10` is a number; to us it is what was written."""
Word = Annotated[str, WithJsonSchema({"type": ["string", "number", "boolean"]})]
"""A text that may be empty."""
Flag = Annotated[bool, BeforeValidator(flag), textual({"type": "boolean"}, "true|false")]
Port = Annotated[
    int,
    BeforeValidator(integer),
    Field(ge=0, le=65535),
    textual({"type": "integer", **_BOUNDS, "maximum": 65535}, r"\d+"),
]
Count = Annotated[
    int, BeforeValidator(integer), Field(ge=1), textual({"type": "integer", "minimum": 1}, r"\d+")
]
Size = Annotated[
    int,
    BeforeValidator(size),
    Field(ge=1),
    PlainSerializer(size_text, return_type=str, when_used="json"),
    textual({"type": "integer", "minimum": 1}, rf"\d+\s*(?:{'|'.join(_BYTES)})"),
]
Duration = Annotated[float, BeforeValidator(duration), Field(ge=0), _DURATION_TEXT, _DURATION_SCHEMA]
Wait = Annotated[float, BeforeValidator(duration), Field(gt=0), _DURATION_TEXT, _DURATION_SCHEMA]
"""A duration that is longer than nothing."""
Moment = Annotated[datetime, BeforeValidator(moment), WithJsonSchema({"type": "string"})]
SecretText = Annotated[
    Secret,
    PlainValidator(secret),
    PlainSerializer(lambda _: "***", return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": ["string", "number"]},
                {
                    "type": "object",
                    "properties": {
                        "file": {"type": "string", "description": "A file that holds the secret alone."}
                    },
                    "required": ["file"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
Entry = TypeVar("Entry")
Listing = Annotated[tuple[Entry, ...], none_is_empty(tuple)]
Table = Annotated[Mapping[str, Entry], none_is_empty(dict)]
Maybe = Annotated[Entry | None, BeforeValidator(lambda value: None if value == "" else value)]
"""A setting that may be absent. Empty is absent too, so that `"${NAME:-}"` does what it says."""
