"""Making a key: 256 random bits that are shown once and stored as a digest."""

from __future__ import annotations

import secrets
from dataclasses import replace

from app.auth.key_settings import stored_form
from app.auth.presented import digest
from app.config.identities import KeySettings
from app.store.keys import NewKey, StoredKey

PREFIX = "sk-"


def make_key(name: str, settings: KeySettings | None = None) -> tuple[str, NewKey]:
    """Give a new key, and what of it is to be stored."""
    key = PREFIX + secrets.token_urlsafe(32)
    form = stored_form(settings or KeySettings())
    return key, NewKey(name=name, digest=digest(key.encode()), hint=key[-4:], **form)


def carrying(key: StoredKey, settings: KeySettings) -> StoredKey:
    """Give a stored key with other settings."""
    return replace(key, **stored_form(settings))


def rotated(key: StoredKey, now: float, grace: float) -> tuple[str, StoredKey]:
    """Give a new key, and the stored one as it is then: what it was is valid for `grace` seconds more."""
    made, new = make_key(key.name)
    old = (key.digest, now + grace) if grace else (None, None)
    return made, replace(key, digest=new.digest, hint=new.hint, previous=old[0], previous_until=old[1])
