"""What makes connections to Redis or Valkey. redis-py is an extra, and imported here alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from app.state.link import Connection
from providers.types import Secret

HOW_TO_INSTALL = "`state` is a Redis, which needs redis-py: pip install 'switchgear[redis]'"


class ClientMissing(Exception):
    """redis-py is not installed."""

    def __init__(self) -> None:
        super().__init__(HOW_TO_INSTALL)


def connections_to(url: Secret) -> Callable[[], Connection]:
    """Give what makes a connection, not yet connected. Raises `ClientMissing`.

    It has no time-outs and no retries of its own: a link has them.
    """
    try:
        from redis.asyncio import ConnectionPool  # noqa: PLC0415 - an extra: it may not be installed
        from redis.asyncio.retry import Retry  # noqa: PLC0415 - as above
        from redis.backoff import NoBackoff  # noqa: PLC0415 - as above
    except ModuleNotFoundError:
        raise ClientMissing from None
    # It serves to read the address; a lane keeps its connection, so that nobody waits for a free one.
    pool = ConnectionPool.from_url(
        url.reveal(),
        protocol=2,
        socket_timeout=None,
        socket_connect_timeout=None,
        retry=Retry(NoBackoff(), 0),
        driver_info=None,
    )
    return cast("Callable[[], Connection]", pool.make_connection)
