"""The two forms of an embedding: numbers, or base64 of 32-bit floats, little end first."""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping

from providers.errors import MalformedResponse
from providers.types import Json

Form = Callable[[Json], Json]


def as_base64(vector: Json) -> Json:
    """Give a list of numbers in base64; what is no list stays. Raises `MalformedResponse`."""
    if not isinstance(vector, list):
        return vector
    try:
        return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except (struct.error, OverflowError) as error:
        raise MalformedResponse("an embedding is not a list of numbers") from error


def as_numbers(vector: Json) -> Json:
    """Give base64 as a list of numbers; what is a list stays. Raises `MalformedResponse`."""
    if not isinstance(vector, str):
        return vector
    try:
        packed = b64decode(vector, validate=True)
        return list(struct.unpack(f"<{len(packed) // 4}f", packed))
    except (ValueError, struct.error) as error:
        raise MalformedResponse("an embedding is not base64 of floats") from error


def unchanged(vector: Json) -> Json:
    """Give a vector as it came."""
    return vector


FORMS: Mapping[Json, Form] = {"base64": as_base64, "float": as_numbers}
"""By what a client asks for as `encoding_format`."""
