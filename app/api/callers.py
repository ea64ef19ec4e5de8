"""Who sends a request: by its key or token, before anything else of it is looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.api.asgi import Scope
from app.api.forwarded import client_network
from app.auth.authenticator import Authenticator
from app.auth.failures import PREFIX, Failures
from app.auth.presented import NotRecognised, presented
from app.auth.principal import Principal
from app.config.networks import AnyNetwork
from app.errors import GatewayError, LimitReached, Unauthorized

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
        except NotRecognised as error:
            raise self._counted(error, scope, credential) from None

    def judge(self, scope: Scope) -> Principal | GatewayError | None:
        """Say who calls, or why not, from a request's head; None where that takes work. It lets nobody in: `identify` does.

        Call it once: who is refused has failed.
        """
        try:
            credential = presented(scope["headers"])
        except Unauthorized as error:
            return error
        judged = self.authenticator.judge(credential)
        return self._counted(judged, scope, credential) if isinstance(judged, NotRecognised) else judged

    def _counted(self, error: NotRecognised, scope: Scope, credential: bytes) -> GatewayError:
        wait = self.failures.count(self._marks(scope, credential), self.now())
        return LimitReached(_TOO_MANY, retry_after=wait) if wait else error

    def _marks(self, scope: Scope, credential: bytes) -> Sequence[tuple[str, str | int]]:
        address = "address", client_network(scope, self.trusted)
        # All tokens begin alike. The hash keeps what may be a part of a key out of memory.
        return (address,) if b"." in credential else (address, ("prefix", hash(credential[:PREFIX])))
