"""The form of a token, and its signature. Pure.

The compact serialization of JSON Web Signature (RFC 7515), with the advice of RFC 8725: nothing in a
token's header chooses more than one of the keys and algorithms that its issuer was configured with, so
`jku`, `jwk`, `x5u` and their like are not looked at. What there is before `verify` is a claim by anybody.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from app.auth.presented import NotRecognised
from providers.types import Json, JsonObject

VerifyingKey = Any
"""A public key of `cryptography`, or the bytes of a shared secret."""

_FORM = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_TYPES = frozenset({"jwt", "at+jwt"})
"""What `typ` may be, so that a token made for another purpose, such as logging out, lets nobody in."""


class Token(NamedTuple):
    """A token that has the form of one."""

    raw: bytes
    algorithm: str
    kid: str | None
    claims: Mapping[str, Json]


def read_token(raw: bytes) -> Token:
    """Take a token apart, without believing it. Raises `NotRecognised`."""
    form = _FORM.fullmatch(raw)
    if form is None:
        raise NotRecognised
    header, claims = _object(form[1]), _object(form[2])
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ")
    # `crit` names extensions that must be understood, and none is.
    if not isinstance(algorithm, str) or "crit" in header or not _is_ours(kind):
        raise NotRecognised
    if kid is not None and not isinstance(kid, str):
        raise NotRecognised
    return Token(raw, algorithm, kid, claims)


def verify(token: Token, key: VerifyingKey) -> None:
    """Check the signature, by the algorithm that the header names: the caller knows that it is allowed.

    Raises `NotRecognised`.
    """
    from app.auth.signatures import is_signed  # noqa: PLC0415 - 45 ms and 8 MB that gateways without tokens spare

    if not is_signed(token.raw, key, token.algorithm):
        raise NotRecognised


def _is_ours(kind: Json) -> bool:
    return kind is None or (isinstance(kind, str) and kind.lower().removeprefix("application/") in _TYPES)


def _object(part: bytes) -> JsonObject:
    try:
        found = msgspec.json.decode(urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        raise NotRecognised from None
    if not isinstance(found, dict):
        raise NotRecognised
    return found
