"""What a request presents to be let in, and its digest."""

from __future__ import annotations

import hashlib

from app.errors import Unauthorized

MISSING = "No API key was given. Send it as `Authorization: Bearer <key>`, `x-api-key` or `api-key`."
LONGEST = 16 << 10
"""Bytes. Tokens with many groups in them reach some thousands."""
_HEADERS = (b"authorization", b"x-api-key", b"api-key")

Headers = list[tuple[bytes, bytes]]


class NotRecognised(Unauthorized):
    """A key that is none of ours, or a token that nobody trusted has signed: perhaps somebody is guessing."""


def digest(credential: bytes) -> str:
    """Give the SHA-256 of a key or token in hex: what is stored and looked up."""
    return hashlib.sha256(credential).hexdigest()


def presented(headers: Headers) -> bytes:
    """Give the key or token that a request presents. Raises `Unauthorized` for none, a malformed one, or several."""
    found = [field for field in headers if field[0] in _HEADERS]
    if not found:
        raise Unauthorized(MISSING)
    keys = {bare for _, value in found if (bare := _bare(value)) is not None}
    if len(keys) != 1 or (len(found) > 1 and sum(name == b"authorization" for name, _ in found) > 1):
        raise Unauthorized("Send exactly one API key, as `Authorization: Bearer <key>`.")
    (key,) = keys
    if not key or len(key) > LONGEST:
        raise Unauthorized
    return key


def _bare(value: bytes) -> bytes | None:
    """Take the scheme off. None for a scheme that is not ours."""
    scheme, space, rest = value.partition(b" ")
    if not space:
        return None if scheme.lower() in (b"bearer", b"basic", b"") else scheme
    return rest.strip(b" ") if scheme.lower() == b"bearer" and b"\t" not in rest else None
