"""The names of what was submitted, such as videos: each says where it is, and is of use to its owner alone.

A name holds the model, the target, which credential was used and the provider's own name for it, and
is signed together with its owner. So any instance finds the same provider and credential again
without remembering anything, and nobody can ask for what another has submitted.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

from app.errors import NotFound
from app.gateway.credential_pool import Credentials
from providers.types import Json, Secret, Target

PREFIX = "video_"
LONGEST = 2048
"""Characters of a name."""
_SEAL = 16
"""Bytes: 128 bits."""


class Job(msgspec.Struct, frozen=True, array_like=True):
    """What was submitted."""

    model: str
    """As the client named it."""
    target: str
    """`provider/model`."""
    mark: str
    """Of the credential; empty without one."""
    id: str
    """As the provider names it."""


def mark_of(secret: Secret | None) -> str:
    """Give what tells a credential from the provider's others, and says nothing else of it."""
    return hashlib.sha256(b"mark\0" + secret.reveal().encode()).hexdigest()[:16] if secret else ""


class Jobs:
    """Names them and finds them. Signed with the credential that was used."""

    def __init__(self, credentials: Credentials, spare: bytes) -> None:
        """Sign with `spare` where there is no credential."""
        self._credentials = credentials
        self._spare = spare

    def name(self, model: str, target: Target, id: str, owner: str) -> str:
        """Give the name for the client."""
        job = Job(model, target.name, mark_of(target.credential), id)
        said = msgspec.json.encode(job)
        key = target.credential.reveal().encode() if target.credential else self._spare
        return PREFIX + urlsafe_b64encode(_sealed(key, owner, said) + said).decode().rstrip("=")

    def find(self, name: str, owner: str) -> Job:
        """Give what a name stands for. Raises `NotFound` for one that was not given to this owner."""
        try:
            seal, said = _parts(name)
            job = msgspec.json.decode(said, type=Job)
        except ValueError as error:
            raise _unknown() from error
        key = self._key(job)
        if key is None or not hmac.compare_digest(seal, _sealed(key, owner, said)):
            raise _unknown()
        return job

    def _key(self, job: Job) -> bytes | None:
        pool = self._credentials.of(job.target.partition("/")[0])
        if pool is None:
            return None if job.mark else self._spare
        return next((s.reveal().encode() for s in pool.secrets() if mark_of(s) == job.mark), None)


def renamed(body: bytes, name: str) -> bytes:
    """Put the name into `id` of an answer."""
    answer: dict[str, Json] = msgspec.json.decode(body)
    return msgspec.json.encode({**answer, "id": name})


def _parts(name: str) -> tuple[bytes, bytes]:
    """Split a name. Raises `ValueError`."""
    if not name.startswith(PREFIX) or len(name) > LONGEST or not name.isascii():
        raise ValueError(name)
    text = name.removeprefix(PREFIX)
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return data[:_SEAL], data[_SEAL:]


def _sealed(key: bytes, owner: str, said: bytes) -> bytes:
    return hmac.digest(key, b"video\0" + owner.encode() + b"\0" + said, "sha256")[:_SEAL]


def _unknown() -> NotFound:
    return NotFound(
        "There is no such video: it is not yours, or was deleted, or its credential is gone.", param="id"
    )
