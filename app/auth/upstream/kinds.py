"""The ways to show who we are: a line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from app.auth.upstream import aws, entra, google
from app.auth.upstream.made import Maker
from app.config.activation import ActiveProvider

_KINDS: Mapping[str, Callable[[ActiveProvider, Callable[[], float]], Maker]] = {
    # `key` is not here: a key is sent as it is.
    "aws": aws.maker,
    "entra": entra.maker,
    "google": google.maker,
}


def maker_for(provider: ActiveProvider, wall: Callable[[], float]) -> Maker | None:
    """Give what makes this provider's credential, or None where it has keys; `wall` in Unix seconds."""
    kind = _KINDS.get(provider.auth)
    return kind(provider, wall) if kind else None
