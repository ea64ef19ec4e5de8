"""Signatures of tokens and the keys that check them, by PyJWT. Loaded when the first is wanted: see `jws.py`."""

from __future__ import annotations

from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm

from providers.types import JsonObject

MOST_BITS = 8192
"""Of an RSA key: checking a signature with a larger one would hold up everything else."""
_JWS = jwt.PyJWS(options={"enforce_minimum_key_length": True})


def is_signed(token: bytes, key: Any, algorithm: str) -> bool:
    """Whether a token is signed with the key's other half, by this algorithm."""
    try:
        _JWS.decode_complete(token, key, algorithms=[algorithm])
    except (jwt.PyJWTError, ValueError, TypeError):
        return False
    return True


def public_key(entry: JsonObject, algorithm: str) -> Any | None:
    """Read a key for an algorithm from its members (RFC 7518, 6); None where it is none, or of an unfit length."""
    handler = jwt.get_algorithm_by_name(algorithm)
    try:
        key = handler.prepare_key(handler.from_jwk(entry))
    except (jwt.PyJWTError, UnsupportedAlgorithm, ValueError, TypeError):
        return None
    too_short = handler.check_key_length(key)
    return None if too_short or getattr(key, "key_size", 0) > MOST_BITS else key
