"""AES-256-GCM, by `cryptography`. Loaded when the first credential is sealed or opened: see `sealing.py`."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def encrypt(text: bytes, bound: bytes, key: bytes, nonce: bytes) -> bytes:
    """Give a text that the key alone opens, and only with this nonce and what it is bound to."""
    return AESGCM(key).encrypt(nonce, text, bound)


def decrypt(hidden: bytes, bound: bytes, key: bytes, nonce: bytes) -> bytes | None:
    """Give the text; None where the key is another, it was bound to something else, or a bit has changed."""
    try:
        return AESGCM(key).decrypt(nonce, hidden, bound)
    except (InvalidTag, ValueError):
        return None
