"""Who holds a token: its issuer's keys, its claims, and a memory of the tokens seen just now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from app.auth.claims import bearer_of, check_claims
from app.auth.directory import Bearer, Directory
from app.auth.issuer_keys import IssuerKeys
from app.auth.jws import Token, VerifyingKey, read_token, verify
from app.auth.presented import NotRecognised
from app.auth.principal import Principal
from app.config.issuers import Issuer
from app.errors import PermissionDenied

REMEMBERED = 10_000
"""Tokens whose bearers are kept."""
REMEMBERED_FOR = 60.0
"""Seconds for which one is kept, if it does not expire before."""


class Tokens:
    """Verifies tokens by what one configuration says of their issuers."""

    def __init__(
        self,
        issuers: Sequence[Issuer],
        keys: Mapping[str, IssuerKeys],
        directory: Directory,
        now: Callable[[], float],
    ) -> None:
        """`keys` by issuer; `now` in Unix seconds."""
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        self._keys = keys
        self._directory = directory
        self._now = now
        self._known: dict[str, tuple[float, Principal]] = {}

    def recognise(self, raw: bytes, mark: str) -> Principal | Awaitable[Principal]:
        """Say who holds a token, at once if the key that it needs is known.

        `mark` is the digest of the whole token, its issuer within. Raises, at once or when awaited,
        `Unauthorized`, or `PermissionDenied` for a good token that may do nothing here.
        """
        principal = self.remembered(mark)
        if principal is not None:
            return principal
        token = read_token(raw)
        # Believed for nothing but whose settings are to judge it.
        issuer = self._issuers.get(str(token.claims.get("iss")))
        if issuer is None or token.algorithm not in issuer.algorithms:
            raise NotRecognised
        keys = self._keys[issuer.issuer]
        key = keys.find(token.kid, token.algorithm)
        if key is not None:
            return self._verified(token, mark, issuer, key)
        renewal = keys.renewal()
        if renewal is None:
            raise NotRecognised
        return self._after(renewal, token, mark, issuer)

    def remembered(self, mark: str) -> Principal | None:
        """Give the bearer of a token that was verified just now."""
        until, principal = self._known.get(mark, (0.0, None))
        return principal if self._now() < until else None

    async def _after(self, renewal: Awaitable[object], token: Token, mark: str, issuer: Issuer) -> Principal:
        await renewal
        key = self._keys[issuer.issuer].find(token.kid, token.algorithm)
        if key is None:
            raise NotRecognised
        return self._verified(token, mark, issuer, key)

    def _verified(self, token: Token, mark: str, issuer: Issuer, key: VerifyingKey) -> Principal:
        verify(token, key)
        now = self._now()
        check_claims(token.claims, issuer, now)
        bearer = bearer_of(token.claims, issuer)
        self._check_prefix(bearer, issuer)
        principal = self._directory.of_bearer(bearer)
        self._remember(mark, principal, now)
        return principal

    def _check_prefix(self, bearer: Bearer, issuer: Issuer) -> None:
        """See that no issuer names the users of another one."""
        longer = (each.prefix for each in self._issuers.values() if len(each.prefix) > len(issuer.prefix))
        if any(bearer.user.startswith(prefix) for prefix in longer):
            raise PermissionDenied("The token names a user of another issuer.")

    def _remember(self, mark: str, principal: Principal, now: float) -> None:
        if len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        assert principal.expires is not None, "every token says when it expires"
        self._known[mark] = min(principal.expires, now + REMEMBERED_FOR), principal
