"""Keys: found by their SHA-256 digest in memory, so no secret is ever compared or stored.

A key is 256 random bits, so a plain digest is as good as a slow one (those are for passwords), and
a look-up by digest takes the same time for a near miss as for a far one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

from app.auth.principal import Principal
from app.config.secret_files import FileSecret
from app.errors import GatewayError, Unauthorized, Unavailable, retry_headers
from providers.types import Secret

MISSING = "No API key was given. Send it as `Authorization: Bearer <key>`, `x-api-key` or `api-key`."
LONGEST_KEY = 1024
COME_AGAIN = 5.0
"""Seconds until a key that cannot be checked is worth another try."""
_HEADERS = (b"authorization", b"x-api-key", b"api-key")

Headers = list[tuple[bytes, bytes]]


def digest(key: bytes) -> str:
    """Give the SHA-256 of a key in hex: what is stored and looked up."""
    return hashlib.sha256(key).hexdigest()


def presented_key(headers: Headers) -> bytes:
    """Give the key that a request presents. Raises `Unauthorized` for none, a malformed one, or several."""
    found = {value for name, value in headers if name in _HEADERS}
    keys = {_bare(value) for name, value in headers if name in _HEADERS and _bare(value) is not None}
    if not found:
        raise Unauthorized(MISSING)
    if len(keys) != 1 or sum(1 for name, _ in headers if name == b"authorization") > 1:
        raise Unauthorized("Send exactly one API key, as `Authorization: Bearer <key>`.")
    (key,) = keys
    if not key or len(key) > LONGEST_KEY:
        raise Unauthorized
    return key


def _bare(value: bytes) -> bytes | None:
    """Take the scheme off. None for a scheme that is not ours."""
    scheme, space, rest = value.partition(b" ")
    if not space:
        return None if scheme.lower() in (b"bearer", b"basic", b"") else scheme
    return rest.strip(b" ") if scheme.lower() == b"bearer" and b"\t" not in rest else None


class KeyRing:
    """The keys that are valid now: configured ones, and a snapshot of the stored ones."""

    def __init__(
        self,
        configured: Sequence[tuple[Secret, Principal]],
        now: Callable[[], float],
        is_stale: Callable[[], bool] = lambda: False,
    ) -> None:
        self._secrets = configured
        self._configured: Mapping[str, Principal] = {}
        self._stored: Mapping[str, Principal] = {}
        self._now = now
        self._is_stale = is_stale
        self.read_configured()

    def configure(self, configured: Sequence[tuple[Secret, Principal]]) -> None:
        """Take other configured keys."""
        self._secrets = configured
        self.read_configured()

    def read_configured(self) -> None:
        """Take the configured keys anew: those that stand in files may have changed."""
        self._configured = {digest(key.reveal().encode()): principal for key, principal in self._secrets}

    def has_configured(self) -> bool:
        """Whether the configuration gives any key."""
        return bool(self._secrets)

    def has_files(self) -> bool:
        """Whether any configured key stands in a file that may change."""
        return any(isinstance(key, FileSecret) for key, _ in self._secrets)

    def has_stored(self) -> bool:
        """Whether the store holds any key."""
        return bool(self._stored)

    def principals(self) -> list[Principal]:
        """Give everyone who has a key."""
        return [*self._configured.values(), *self._stored.values()]

    def replace_stored(self, stored: Mapping[str, Principal]) -> None:
        """Take a new snapshot of the stored keys: digest → principal."""
        self._stored = stored

    def authenticate(self, headers: Headers) -> Principal:
        """Say who is calling. Raises `Unauthorized`; `Unavailable` where nobody can tell."""
        wanted = digest(presented_key(headers))
        principal = self._configured.get(wanted) or self._stored.get(wanted)
        if principal is None:
            raise self._unknown()
        if principal.expires is not None and principal.expires <= self._now():
            raise Unauthorized
        return principal

    def recognise(self, headers: Headers) -> Principal | None:
        """Say who is calling if that is known at once. It lets nobody in: `authenticate` does."""
        try:
            return self.authenticate(headers)
        except (Unauthorized, Unavailable):
            return None

    def _unknown(self) -> GatewayError:
        if not self._is_stale():
            return Unauthorized()
        return Unavailable(
            "This API key cannot be checked now. Try again soon.",
            code="keys_unavailable",
            headers=retry_headers(COME_AGAIN),
        )
