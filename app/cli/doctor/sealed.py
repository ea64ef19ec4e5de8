"""The credentials that the database has: does a key open them, and does a provider want them?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.auth.upstream.sealing import Opened, Place, unseal
from app.cli.doctor.finding import Finding, broken, ok, warn
from app.config.encryption import usable
from app.config.loader import Loaded
from app.config.secret_files import FileSecret
from app.config.storage import SQLITE
from app.store.credentials import StoredCredential

SUBJECT = "credentials"


def look_at_credentials(loaded: Loaded, rows: Sequence[StoredCredential]) -> Iterator[Finding]:
    """Look at all of them, and at where the keys are."""
    yield from _keys_beside_the_database(loaded)
    if not rows:
        return
    keys = usable(loaded.config.encryption.keys)
    found = [(row, unseal(row.sealed, Place(row.provider, row.id), keys)) for row in rows]
    if shut := [row for row, opened in found if opened is None]:
        advice = "give the key that sealed them in `encryption.keys`, or replace or remove them"
        yield broken(SUBJECT, f"no key opens those of the database: {_names(shut)}", advice)
    known = {each.provider.name for each in loaded.known}
    if left := [row for row in rows if row.provider not in known]:
        yield warn(SUBJECT, f"no such provider any more: {_names(left)}", "remove them")
    yield from _sealed(found)


def _sealed(found: Sequence[tuple[StoredCredential, Opened | None]]) -> Iterator[Finding]:
    good = [(row, opened) for row, opened in found if opened]
    if older := [row for row, opened in good if opened.key]:
        advice = "switchgear providers credentials reseal"
        yield warn(SUBJECT, f"sealed with a key that is not the first: {_names(older)}", advice)
    if good:
        yield ok(SUBJECT, f"in the database, and opened: {len(good)}")


def _keys_beside_the_database(loaded: Loaded) -> Iterator[Finding]:
    storage = loaded.config.storage
    if storage.kind != SQLITE:
        return
    folder = storage.local.absolute().parent
    for key in loaded.config.encryption.keys:
        if isinstance(key, FileSecret) and folder in key.path.absolute().parents:
            found = f"the key in {key.path} lies beside what it seals"
            yield warn(SUBJECT, found, "keep it where copies of the database do not come to")


def _names(rows: Sequence[StoredCredential]) -> str:
    return ", ".join(f"{row.provider}/{row.id}" for row in rows)
