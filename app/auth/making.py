"""Making a key: 256 random bits that are shown once and stored as a digest."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from app.auth.presented import digest
from app.store.keys import NewKey

PREFIX = "sk-"


def make_key(
    name: str, models: Sequence[str] | None = None, expires: float | None = None
) -> tuple[str, NewKey]:
    """Give a new key, and what of it is to be stored."""
    key = PREFIX + secrets.token_urlsafe(32)
    return key, NewKey(name=name, digest=digest(key.encode()), hint=key[-4:], models=models, expires=expires)
