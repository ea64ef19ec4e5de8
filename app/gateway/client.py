"""What the gateway asks of the client's side of a call; `app/api` has the HTTP of it."""

from __future__ import annotations

from typing import Protocol

JSON = "application/json"
Headers = tuple[tuple[str, str], ...]


class Client(Protocol):
    """Where an answer goes."""

    @property
    def has_content(self) -> bool:
        """Whether the first data event has gone out: after it there is no other attempt."""
        ...

    @property
    def committed(self) -> bool:
        """Whether status and headers have gone out: after it errors are events."""
        ...

    @property
    def left(self) -> bool:
        """Whether the client has closed its connection."""
        ...

    async def reply(self, body: bytes, headers: Headers, media: str = JSON) -> None:
        """Send a whole answer of this content type."""
        ...

    async def write(self, frames: bytes, headers: Headers) -> None:
        """Send what has come of an answer; the first also sends status and headers. Waits for a slow reader."""
        ...

    async def end(self, frames: bytes = b"", headers: Headers = ()) -> None:
        """Send what comes last, if anything does, and end it, as `Delivery` says."""
        ...
