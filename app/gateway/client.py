"""What the gateway asks of the client's side of a call; `app/api` has the HTTP of it."""

from __future__ import annotations

from typing import Protocol

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

    async def reply(self, body: bytes, headers: Headers) -> None:
        """Send a whole answer."""
        ...

    async def write(self, frames: bytes, headers: Headers) -> None:
        """Send events of a stream; the first also sends status and headers. Waits for a slow reader."""
        ...

    async def end(self) -> None:
        """Send the terminal event."""
        ...
