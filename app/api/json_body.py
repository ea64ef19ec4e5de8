"""A client's JSON body, read strictly: what two readers could take for two things is refused."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from itertools import accumulate

import msgspec

from app.errors import BadRequest
from providers.types import Json, JsonObject

DEEPEST = 64
"""Levels of arrays and objects."""
MOST_KEYS = 50_000
"""Keys, and also arrays and objects. 10,000 messages have some 30,000."""
MOST_ITEMS = 320_000
"""Commas and colons. OpenAI takes 300,000 tokens of embedding input as numbers; they parse in some 40 ms."""
LONGEST_NUMBER = 4_000
"""Characters of one number."""

_SPARSE = 400
"""Bytes from one quote to the next from which on looking for the next is quicker than splitting at each."""
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_ONE_DIGIT = bytes.maketrans(b"123456789E", b"000000000e")
# A number can leave the 64-bit integers or the floats only with one of these in it.
_LARGE_NUMBERS = (b"0" * 19, b"e000", b"e+000")
_SURROGATE_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse_object(body: bytes) -> JsonObject:
    """Read a JSON object (RFC 8259). Raises `BadRequest`, and nothing else, for any other bytes.

    Linear in the size of the body. Duplicate keys, lone surrogates, numbers beyond 64 bits, more
    than `DEEPEST` levels and more than `MOST_ITEMS` items are refused too.
    """
    if body.startswith(b"\xef\xbb\xbf"):
        raise BadRequest("The body starts with a byte order mark; send plain UTF-8.", code="byte_order_mark")
    if not body or body.isspace():
        raise BadRequest("The body is empty; send a JSON object.", code="empty_body")
    # Without escapes, a quote is where a string begins or ends.
    unescaped = body
    has_escapes = b"\\" in body
    if has_escapes:
        unescaped = body.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    structure = _structure(unescaped)
    _check_depth(structure)
    _check_counts(structure)
    value = _decode(body, structure)
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.", code="not_an_object")
    if has_escapes and _has_half_a_pair(unescaped):
        raise BadRequest("A string has half of a surrogate pair in it.", code="invalid_string")
    return value


def _has_half_a_pair(unescaped: bytes) -> bool:
    found = _SURROGATE.search(unescaped)
    return found is not None and _SURROGATE.search(_SURROGATE_PAIR.sub(b"", unescaped)) is not None


def _too_many() -> BadRequest:
    return BadRequest(
        f"The body has more than {MOST_KEYS:,} keys, lists and objects or {MOST_ITEMS:,} items.",
        code="too_many_items",
    )


def _structure(unescaped: bytes) -> bytes:
    """Give what stands outside of strings."""
    quotes = unescaped.count(b'"')
    if quotes > 2 * (MOST_ITEMS + DEEPEST):
        raise _too_many()
    if len(unescaped) < _SPARSE * quotes:
        return b"".join(unescaped.split(b'"')[::2])
    return b"".join(_between_strings(unescaped))


def _between_strings(unescaped: bytes) -> Iterator[bytes]:
    at = 0
    while (begin := unescaped.find(b'"', at)) >= 0:
        yield unescaped[at:begin]
        end = unescaped.find(b'"', begin + 1)
        if end < 0:
            return
        at = end + 1
    yield unescaped[at:]


def _check_depth(structure: bytes) -> None:
    # The first so many are enough: more is too many anyway.
    steps = structure.translate(_STEPS, _NO_BRACKETS)[: 2 * MOST_KEYS]
    if max(accumulate(memoryview(steps).cast("b")), default=0) > DEEPEST:
        raise BadRequest(f"The body is nested deeper than {DEEPEST} levels.", code="too_deep")


def _check_counts(structure: bytes) -> None:
    keys = structure.count(b":")
    opened = structure.count(b"[") + structure.count(b"{")
    if max(keys, opened) > MOST_KEYS or keys + structure.count(b",") > MOST_ITEMS:
        raise _too_many()


def _decode(body: bytes, structure: bytes) -> Json:
    plain = structure.translate(_ONE_DIGIT)
    if any(sign in plain for sign in _LARGE_NUMBERS):
        return _decode_slowly(body, _CAREFUL)
    try:
        value = msgspec.json.decode(body)
    except ValueError:  # what is wrong, the other one says better
        return _decode_slowly(body, _DECODER)
    if _keys(value, structure.count(b"{")) != structure.count(b":"):
        return _decode_slowly(body, _DECODER)
    return value


def _keys(value: Json, objects: int) -> int:
    """Count the keys of all objects, of which there are so many: one that stood twice is missing."""
    found, left = 0, [value]
    while left and objects:
        inner = left.pop()
        if isinstance(inner, dict):
            objects -= 1
            found += len(inner)
            left += inner.values()
        elif isinstance(inner, list):
            left += inner
    return found


def _decode_slowly(body: bytes, decoder: json.JSONDecoder) -> Json:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(
            f"The body is not UTF-8: byte {error.start} cannot be read.", code="invalid_utf8"
        ) from error
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            code, what = "trailing_data", "something follows the JSON object"
        else:
            code, what = "invalid_json", error.msg
        message = f"The body is not valid JSON: {what} at line {error.lineno}, column {error.colno}."
        raise BadRequest(message, code=code) from error


def _object(pairs: list[tuple[str, Json]]) -> JsonObject:
    value = dict(pairs)
    if len(value) != len(pairs):
        twice = _shown(_first_repeated([key for key, _ in pairs]))
        raise BadRequest(f"The key `{twice}` stands twice in one object.", code="duplicate_key", param=twice)
    return value


def _first_repeated(keys: list[str]) -> str:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            return key
        seen.add(key)
    raise AssertionError("no key stands twice")


def _shown(key: str) -> str:
    """Give a key fit for a message: short, and with every character encodable."""
    return key[:100].encode("utf-8", "replace").decode()


def _constant(name: str) -> Json:
    raise BadRequest(f"{name} is not a JSON number.", code="invalid_number")


def _integer(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= (value := int(digits)) < 2**64:
        raise BadRequest("An integer in the body does not fit 64 bits.", code="invalid_number")
    return value


def _float(digits: str) -> float:
    if len(digits) > LONGEST_NUMBER or math.isinf(value := float(digits)):
        raise BadRequest("A number in the body is too large or too long.", code="invalid_number")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
_CAREFUL = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_float
)
