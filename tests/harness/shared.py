"""A process's part in the shared state, over a real server and with a clock that the test may own."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable
from typing import Any

import structlog

from app.limits.shared import SharedLimiter
from app.state.link import Link
from app.state.membership import Membership, server_time
from app.state.opening import connections_to
from providers.types import Secret

LONG = 10.0
"""Seconds of patience where a test is about something else than time."""


def membership_of(
    url: str, *, clock: Callable[[], str] = server_time, patience: float = LONG, **options: Any
) -> Membership:
    """Give a membership that has not joined yet."""
    connect = connections_to(Secret(url))
    return Membership(
        new_link=lambda: Link(connect, patience=patience),
        new_id=lambda: uuid.uuid4().hex,
        log=options.pop("log", structlog.get_logger()),
        random=random.random,
        clock=clock,
        **options,
    )


async def join(membership: Membership) -> None:
    """Join, or say why not."""
    await membership.start()
    assert membership.joined is not None, "no Valkey"


async def limiter_at(url: str, **options: Any) -> tuple[SharedLimiter, Membership]:
    """Give a limiter that has joined."""
    membership = membership_of(url, **options)
    limiter = SharedLimiter(membership, asyncio.get_running_loop().time)
    membership.participants.append(limiter)
    await join(membership)
    return limiter, membership
