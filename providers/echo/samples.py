"""Made-up values that depend on the request alone: an instance of a schema, a vector of a text."""

from __future__ import annotations

import hashlib
import math
import struct
from base64 import b64encode

import msgspec

from providers.echo.request import Refusal, Schema, Subschema
from providers.types import Json

MOST_VALUES = 1_000
MOST_BYTES = 1 << 20
"""Bytes of JSON. A schema of a few bytes can ask for any number of them."""


def sample_of(schema: Subschema | None, text: str, asked_by: str) -> Json:
    """Give an instance of a JSON Schema, with `text` wherever it wants a string.

    Raises `Refusal` naming the field `asked_by` for one that would be too large.
    """
    return _Sample(text, asked_by).of(schema)


class _Sample:
    """One instance in the making, and what may still be put into it."""

    def __init__(self, text: str, asked_by: str) -> None:
        self._asked_by = asked_by
        self._values = MOST_VALUES
        self._bytes = MOST_BYTES
        self._plain: dict[str, Json] = {
            "string": text,
            "integer": 1,
            "number": 1.5,
            "boolean": True,
            "null": None,
        }

    def of(self, schema: Subschema | None) -> Json:
        if not isinstance(schema, Schema):
            return self._take({})
        if schema.const is not msgspec.UNSET:
            return self._take(schema.const)
        if schema.enum:
            return self._take(schema.enum[0])
        if options := schema.any_of or schema.one_of:
            return self.of(options[0])
        return self._of_type(schema)

    def _of_type(self, schema: Schema) -> Json:
        kind = schema.type if isinstance(schema.type, str) else next(iter(schema.type), "object")
        if kind == "object":
            self._take(list(schema.properties))
            return {name: self.of(field) for name, field in schema.properties.items()}
        if kind == "array":
            self._take([])
            return [self.of(schema.items) for _ in range(schema.min_items)]
        return self._take(self._plain.get(kind, {}))

    def _take(self, value: Json) -> Json:
        self._values -= 1
        self._bytes -= len(msgspec.json.encode(value))
        if self._values < 0 or self._bytes < 0:
            raise Refusal(
                self._asked_by,
                f"`{self._asked_by}` asks for an answer of more than {MOST_VALUES:,} values or {MOST_BYTES:,} bytes",
            )
        return value


def vector(text: str, dimensions: int, *, base64: bool) -> list[float] | str:
    """Give a vector of length one for a text, as numbers or as base64 of little-endian float32."""
    digest = hashlib.shake_256(text.encode()).digest(dimensions * 2)
    raw = [value / 32768 - 1 for (value,) in struct.iter_unpack("<H", digest)]
    length = math.sqrt(sum(value * value for value in raw)) or 1.0
    packed = struct.pack(f"<{dimensions}f", *(value / length for value in raw))
    return b64encode(packed).decode() if base64 else list(struct.unpack(f"<{dimensions}f", packed))
