"""Sealing a credential for the database, bound to its provider and its row. Pure: nonces are given."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import NamedTuple

NONCE_BYTES = 12
"""What GCM takes best (NIST SP 800-38D, 5.2.1.1). Random ones are good for 2^32 texts with one key (8.3)."""
FORM = "v1:"
"""What a sealed text begins with. The rest is base64: the nonce, the text by AES-256-GCM, its tag."""


class Place(NamedTuple):
    """What a sealed text is bound to: it opens nowhere else."""

    provider: str
    id: int

    def bound(self) -> bytes:
        """Give it in a form that no other place has."""
        return f"switchgear provider credential {self.id} {self.provider}".encode()


class Opened(NamedTuple):
    """What was sealed."""

    text: str
    key: int
    """Which of the keys has opened it, from 0."""


def seal(text: str, place: Place, key: bytes, nonce: bytes) -> str:
    """Seal a text with a key of 32 bytes and a nonce of 12 that was never used before."""
    from app.auth.upstream.cipher import encrypt

    hidden = encrypt(text.encode(), place.bound(), key, nonce)
    return FORM + base64.b64encode(nonce + hidden).decode()


def unseal(sealed: str, place: Place, keys: Sequence[bytes]) -> Opened | None:
    """Open what was sealed at a place with the first key that can; None: it was sealed with another, elsewhere, or altered."""
    if not keys or not sealed.startswith(FORM):
        return None
    from app.auth.upstream.cipher import decrypt

    try:
        data = base64.b64decode(sealed.removeprefix(FORM), validate=True)
    except ValueError:
        return None
    nonce, hidden = data[:NONCE_BYTES], data[NONCE_BYTES:]
    for index, key in enumerate(keys):
        if (text := decrypt(hidden, place.bound(), key, nonce)) is not None:
            return Opened(text.decode(), index)
    return None
