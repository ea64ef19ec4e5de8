"""Who sends a request: by its key or token, before anything else of it is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from app.api.asgi import RawHeaders, Scope
from app.api.forwarded import client_network
from app.auth.authenticator import Authenticator
from app.auth.failures import PREFIX, Failures
from app.auth.presented import NotRecognised, presented
from app.auth.principal import Principal
from app.config.networks import AnyNetwork
from app.errors import LimitReached, Unauthorized

_TOO_MANY = "Too many wrong API keys came from here. A good one is taken at any time."


@dataclass(frozen=True, slots=True)
class Callers:
    """Identifies callers, and holds back who guesses."""

    authenticator: Authenticator
    failures: Failures
    trusted: Sequence[AnyNetwork]
    """Proxies that say where a client is."""
    now: Callable[[], float]
    """Monotonic seconds."""

    async def identify(self, scope: Scope) -> Principal:
        """Say who calls; waits only for an issuer's new keys.

        Raises `Unauthorized`, `PermissionDenied`, and `LimitReached` where failures have become too many.
        """
        credential = presented(scope["headers"])
        try:
            found = self.authenticator.recognise(credential)
            return found if isinstance(found, Principal) else await found
        except NotRecognised:
            wait = self.failures.count(self._marks(scope, credential), self.now())
            if wait:
                raise LimitReached(_TOO_MANY, retry_after=wait) from None
            raise

    def glimpse(self, headers: RawHeaders) -> Principal | None:
        """Say who calls if that takes no work. It lets nobody in: `identify` does."""
        try:
            return self.authenticator.known(presented(headers))
        except Unauthorized:
            return None

    def _marks(self, scope: Scope, credential: bytes) -> Iterator[tuple[str, str | int]]:
        yield "address", client_network(scope, self.trusted)
        if b"." not in credential:
            # All tokens begin alike. The hash keeps what may be a part of a key out of memory.
            yield "prefix", hash(credential[:PREFIX])
