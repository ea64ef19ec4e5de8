"""Made-up values that depend on the request alone: an instance of a schema, a vector of a text."""

from __future__ import annotations

import hashlib
import math
import struct
from base64 import b64encode

from providers.types import Json, JsonObject

DEEPEST = 16


def sample_of(schema: Json, text: str, depth: int = 0) -> Json:
    """Give an instance of a JSON Schema, with `text` wherever it wants a string."""
    if not isinstance(schema, dict) or depth > DEEPEST:
        return {}
    if "const" in schema:
        return schema["const"]
    if options := schema.get("enum"):
        return options[0]
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return sample_of(options[0], text, depth + 1)
    return _of_type(schema, text, depth + 1)


def _of_type(schema: JsonObject, text: str, depth: int) -> Json:
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object":
        properties = schema.get("properties")
        fields = properties if isinstance(properties, dict) else {}
        return {name: sample_of(field, text, depth) for name, field in fields.items()}
    if kind == "array":
        return [sample_of(schema.get("items"), text, depth)] * min(int(schema.get("minItems") or 0), DEEPEST)
    plain: dict[Json, Json] = {"string": text, "integer": 1, "number": 1.5, "boolean": True, "null": None}
    return plain.get(kind, {})


def vector(text: str, dimensions: int, *, base64: bool) -> list[float] | str:
    """Give a vector of length one for a text, as numbers or as base64 of little-endian float32."""
    digest = hashlib.shake_256(text.encode()).digest(dimensions * 2)
    raw = [value / 32768 - 1 for (value,) in struct.iter_unpack("<H", digest)]
    length = math.sqrt(sum(value * value for value in raw)) or 1.0
    packed = struct.pack(f"<{dimensions}f", *(value / length for value in raw))
    return b64encode(packed).decode() if base64 else list(struct.unpack(f"<{dimensions}f", packed))
