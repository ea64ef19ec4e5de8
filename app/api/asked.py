"""What a request to a token endpoint asks for, once it is read; and how JSON is read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from app.api.asgi import Receive, Scope
from app.api.body import check_media, read_body
from app.api.json_body import parse_object
from app.config.models import Server
from providers.types import JsonObject, Upload

LARGE = 1 << 20
"""Bytes from which a body is parsed beside the loop: 1 MiB takes some milliseconds."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it was read."""

    body: JsonObject
    files: tuple[Upload, ...] = ()
    job: str = ""
    """What was submitted before, as we named it."""
    closing: tuple[Callable[[], None], ...] = field(default=(), repr=False)
    """Let go of the files."""

    def close(self) -> None:
        """Let go of the files."""
        for close in self.closing:
            close()


Reader = Callable[[Scope, Receive, Server, Callable[[], None]], Awaitable[Asked]]
"""Reads a request, and tells when the last byte has come. Raises `GatewayError` or `ClientGone`."""


async def read_json(scope: Scope, receive: Receive, server: Server, received: Callable[[], None]) -> Asked:
    """Read a JSON body within `server.max_body`."""
    check_media(scope["headers"], server.max_body)
    body = await read_body(receive, server.max_body)
    received()
    # A large body takes long enough to parse to hold up every other call.
    parsed = parse_object(body) if len(body) <= LARGE else await asyncio.to_thread(parse_object, body)
    return Asked(parsed)
