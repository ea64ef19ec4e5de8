"""So many requests of one address to the admin API: slowapi, which is imported when the first one comes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from slowapi import Limiter
from slowapi.errors import RateLimitExceeded
from starlette.requests import Request

from app.errors import LimitReached


class _OwnLimiter(Limiter):
    """A limiter whose settings are ours alone: by itself it takes some from variables and from `.env`."""

    def get_app_config(self, key: str, default_value: Any = None) -> Any:  # noqa: ARG002 - nobody is asked
        """Give the default."""
        return default_value


class Gate:
    """Counts the requests of each address, in memory, over all routes together."""

    def __init__(self, address: Callable[[Request], str], rate: Callable[[], str]) -> None:
        """`rate` is asked each time, such as `600/minute`."""

        def address_of(request: Request) -> str:
            return address(request)

        # Given a file that exists, it does not look for `.env` in the working directory.
        self._limiter = _OwnLimiter(address_of, storage_uri="memory://", config_filename=__file__)
        self._pass = self._limiter.shared_limit(rate, scope="admin")(_let_in)

    def count(self, request: Request) -> None:
        """Count a request. Raises `LimitReached` where there were too many."""
        try:
            self._pass(request)
        except RateLimitExceeded as error:
            window, marks = request.state.view_rate_limit
            ends, _ = self._limiter.limiter.get_window_stats(window, *marks)
            raise LimitReached(
                f"`admin.rate_limit` lets {error.detail} from one address through.",
                # The library keeps windows by the wall clock.
                retry_after=max(ends - time.time(), 0.001),
            ) from None


def _let_in(request: Request) -> None:
    """Do nothing: the limiter has counted it."""
