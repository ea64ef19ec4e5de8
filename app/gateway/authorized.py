"""A provider's connections where requests are signed, or carry a token that ends."""

from __future__ import annotations

from collections.abc import Callable

from app.auth.upstream.keeper import Keeper
from app.auth.upstream.kinds import maker_for
from app.config.activation import ActiveProvider
from app.gateway.upstream import Answer, Upstream
from providers.types import HttpRequest


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
        if not (made.is_refused(answer.head) and self._keeper.replaces(made)):
            return answer
        await answer.close()
        made = await self._keeper.current()
        return await self._inside.send(made.apply(request))

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
    return upstream if maker is None else AuthorizedUpstream(upstream, Keeper(maker, wall, failed))
