"""Keys that seal what the database must not hold in the clear. They are given, never made or written here."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable

from app.config.scalars import Listing, SecretText
from app.config.section import Section
from providers.types import Secret

KEY_BYTES = 32
"""Of AES-256."""
MAKE_ONE = "make one: openssl rand -base64 32"
_URL_SAFE = str.maketrans("-_", "+/")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{43}=?")


class Encryption(Section):
    """How providers' credentials that came through the admin API are kept."""

    keys: Listing[SecretText] = ()
    """Keys of 32 bytes in base64 (`openssl rand -base64 32`) that seal providers' credentials in the database: the first seals, all of them open."""


def key_bytes(text: str) -> bytes:
    """Read a key, in either alphabet of base64. Raises `ValueError`, which does not show it."""
    plain = text.translate(_URL_SAFE)
    if not _BASE64.fullmatch(plain):
        raise ValueError(f"the key is not {KEY_BYTES} bytes in base64")
    try:
        return base64.b64decode(plain[:43] + "=", validate=True)
    except binascii.Error:
        raise ValueError(f"the key is not {KEY_BYTES} bytes in base64") from None


def usable(keys: Iterable[Secret]) -> tuple[bytes, ...]:
    """Give the keys that can be used now: one whose file has changed to nonsense is passed over."""
    found = []
    for key in keys:
        try:
            found.append(key_bytes(key.reveal()))
        except ValueError:
            continue
    return tuple(found)
