"""Keys: found by their SHA-256 digest in memory, so no secret is ever compared or stored.

A key is 256 random bits, so a plain digest is as good as a slow one (those are for passwords), and
a look-up by digest takes the same time for a near miss as for a far one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from app.auth.presented import NotRecognised, digest
from app.auth.principal import Principal
from app.config.secret_files import FileSecret
from app.errors import GatewayError, Unavailable, retry_headers
from providers.types import Secret

COME_AGAIN = 5.0
"""Seconds until a key that cannot be checked is worth another try."""


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

    def find(self, wanted: str) -> Principal | None:
        """Give whose key has this digest; nothing if nobody's has, or it has expired."""
        principal = self._configured.get(wanted) or self._stored.get(wanted)
        if principal is None or (principal.expires is not None and principal.expires <= self._now()):
            return None
        return principal

    def refusal(self, wanted: str) -> GatewayError:
        """Say why the key of a digest is not taken: it is wrong, or nobody can tell."""
        if wanted in self._configured or wanted in self._stored or not self._is_stale():
            return NotRecognised()
        return Unavailable(
            "This API key cannot be checked now. Try again soon.",
            code="keys_unavailable",
            headers=retry_headers(COME_AGAIN),
        )
