"""Who calls, by key or by token."""

from __future__ import annotations

from collections.abc import Awaitable

from app.auth.keyring import KeyRing
from app.auth.presented import digest
from app.auth.principal import Principal
from app.auth.tokens import Tokens
from app.errors import GatewayError


class Authenticator:
    """Looks among the keys first, where a good one costs a digest, and then takes it for a token."""

    def __init__(self, keys: KeyRing, tokens: Tokens) -> None:
        self._keys = keys
        self._tokens = tokens

    def recognise(self, credential: bytes) -> Principal | Awaitable[Principal]:
        """Say whose key or token it is; to be awaited only where an issuer has to be asked for a new key.

        Raises, at once or when awaited, `Unauthorized`, `PermissionDenied`, `Unavailable`.
        """
        mark = digest(credential)
        principal = self._keys.find(mark)
        if principal is not None:
            return principal
        if b"." not in credential:
            raise self._keys.refusal(mark)
        return self._tokens.recognise(credential, mark)

    def judge(self, credential: bytes) -> Principal | GatewayError | None:
        """Say whose key or token it is, or why it is refused; None where that takes work. Only `recognise` lets in."""
        mark = digest(credential)
        principal = self._keys.find(mark)
        if principal is not None:
            return principal
        return self._tokens.remembered(mark) if b"." in credential else self._keys.refusal(mark)
