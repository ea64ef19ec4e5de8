"""A provider's connections where requests are signed, or carry a token that ends."""

from __future__ import annotations

from collections.abc import Callable

import httpx2

from app.auth.upstream.keeper import Keeper
from app.auth.upstream.kinds import maker_for
from app.config.activation import ActiveProvider
from app.gateway.upstream import Answer, Upstream
from providers.types import HttpRequest


class AuthorizedUpstream(Upstream):
    """Authorises what it sends. What was refused because it had ended is made anew, and the request sent once more."""

    def __init__(self, transport: httpx2.AsyncBaseTransport, *, connect: float, keeper: Keeper) -> None:
        super().__init__(transport, connect=connect)
        self._keeper = keeper

    async def send(self, request: HttpRequest) -> Answer:
        """Send a request and wait for the head of its answer. Raises `CredentialRejected`, and as `Upstream` does."""
        made = await self._keeper.current()
        answer = await super().send(made.apply(request))
        if not (made.is_refused(answer.head) and self._keeper.replaces(made)):
            return answer
        await answer.close()
        made = await self._keeper.current()
        return await super().send(made.apply(request))

    async def close(self) -> None:
        """Close every connection."""
        await self._keeper.close()
        await super().close()


def upstream_for(
    provider: ActiveProvider,
    transport: httpx2.AsyncBaseTransport,
    wall: Callable[[], float],
    failed: Callable[[str], None],
) -> Upstream:
    """Give a provider's connections, as it wants to be asked.

    `wall` in Unix seconds; `failed` is told why a credential could not be made.
    """
    connect, maker = provider.timeouts.connect, maker_for(provider, wall)
    if maker is None:
        return Upstream(transport, connect=connect)
    return AuthorizedUpstream(transport, connect=connect, keeper=Keeper(maker, wall, failed))
