"""A provider's connections where requests are signed, or carry a token that ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.auth.upstream.keeper import Keeper
from app.auth.upstream.kinds import maker_for
from app.config.activation import ActiveProvider
from app.gateway.carrier import Exchange
from app.gateway.upstream import Answer, Upstream
from providers.types import HttpRequest


class Refusal(Answer):
    """An answer whose words must not repeat what it was asked with."""

    __slots__ = ("_secrets",)

    def __init__(self, exchange: Exchange, secrets: Sequence[str]) -> None:
        super().__init__(exchange)
        self._secrets = secrets

    async def read(self) -> bytes:
        """Read the whole body, without the secrets. Raises as `Answer` does."""
        body = await super().read()
        for secret in self._secrets:
            body = body.replace(secret.encode(), b"***")
        return body


class AuthorizedUpstream(Upstream):
    """Authorises what it sends. What was refused because it had ended is made anew, and the request sent once more."""

    def __init__(self, inside: Upstream, keeper: Keeper) -> None:
        """`inside` has the connections: this one has none of its own."""
        self._inside = inside
        self._keeper = keeper

    async def send(self, request: HttpRequest) -> Answer:
        """Send a request and wait for the head of its answer. Raises `CredentialRejected`, and as `Upstream` does."""
        made = await self._keeper.current()
        answer = await self._inside.send(made.apply(request))
        if answer.head.status < 400:
            return answer
        if made.is_refused(answer.head) and self._keeper.replaces(made):
            await answer.close()
            made = await self._keeper.current()
            answer = await self._inside.send(made.apply(request))
        return Refusal(answer.exchange, made.secrets)

    async def close(self) -> None:
        """Close every connection."""
        await self._keeper.close()
        await self._inside.close()


def authorized(
    upstream: Upstream,
    provider: ActiveProvider,
    wall: Callable[[], float],
    failed: Callable[[str], None],
) -> Upstream:
    """Give a provider's connections as it wants to be asked: what takes keys stays as it is.

    `wall` in Unix seconds; `failed` is told why a credential could not be made.
    """
    maker = maker_for(provider, wall)
    if maker is None:
        return upstream
    keeper = Keeper(maker, wall, failed)
    # The first call need not wait for a library to be imported, and the operator hears at once of what is missing.
    keeper.begin()
    return AuthorizedUpstream(upstream, keeper)
