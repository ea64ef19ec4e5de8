"""An issuer's public keys, as its JWKS document (RFC 7517) gives them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from app.auth.jws import VerifyingKey
from providers.types import Json, JsonObject

MOST_KEYS = 100

_KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_TEXTS = ("n", "e", "x", "y", "crv")


class BadKeySet(Exception):
    """The document holds no key that can be used; the text says why."""


class KeySet:
    """Public keys by the name and the algorithm that tokens give."""

    def __init__(self, keys: Mapping[tuple[str | None, str], VerifyingKey]) -> None:
        self._keys = keys

    def find(self, kid: str | None, algorithm: str) -> VerifyingKey | None:
        """Give the key for a token; one without a `kid` has a key only where there is no choice."""
        if kid is not None:
            return self._keys.get((kid, algorithm))
        fitting = [key for (_, each), key in self._keys.items() if each == algorithm]
        return fitting[0] if len(fitting) == 1 else None


def read_key_set(document: bytes, algorithms: Sequence[str]) -> KeySet:
    """Read the keys that fit the algorithms; others are no concern of ours. Raises `BadKeySet`."""
    try:
        found = msgspec.json.decode(document)
    except (ValueError, RecursionError):
        raise BadKeySet("it is no JSON") from None
    entries = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(entries, list):
        raise BadKeySet("it has no list of `keys`")
    keys: dict[tuple[str | None, str], VerifyingKey] = {}
    for entry in entries[:MOST_KEYS]:
        if isinstance(entry, dict):
            for algorithm in algorithms:
                key = _key(entry, algorithm)
                if key is not None:
                    keys.setdefault((_kid(entry), algorithm), key)
    if not keys:
        raise BadKeySet(f"it has no key for {', '.join(algorithms)}")
    return KeySet(keys)


def _key(entry: JsonObject, algorithm: str) -> VerifyingKey | None:
    if not _is_meant_for(entry, algorithm):
        return None
    # The public members alone: whoever publishes private ones has let everybody sign.
    if "d" in entry or not all(isinstance(entry.get(name, ""), str) for name in _TEXTS):
        return None
    from app.auth.signatures import public_key  # noqa: PLC0415 - as in `jws.verify`

    return public_key(entry, algorithm)


def _is_meant_for(entry: JsonObject, algorithm: str) -> bool:
    operations: Json = entry.get("key_ops", ["verify"])
    return (
        entry.get("kty") == _KEY_TYPES[algorithm[:2]]
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", algorithm) in (algorithm, *_ALSO_CALLED.get(algorithm, ()))
        and isinstance(operations, list)
        and "verify" in operations
    )


_ALSO_CALLED = {"EdDSA": ("Ed25519", "Ed448")}
"""RFC 9864 names the curve."""


def _kid(entry: JsonObject) -> str | None:
    kid = entry.get("kid")
    return kid if isinstance(kid, str) else None
