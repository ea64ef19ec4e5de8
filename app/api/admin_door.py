"""Two ports: what is the admin API's answers on its own one alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.api.asgi import App, Receive, Scope, Send, error_messages, request_id_of
from app.errors import NotFound

ADMIN = ("/admin", "/docs", "/openapi.json")
EVERYWHERE = ("/health", "/metrics")
"""What whoever watches the gateway asks for, on whichever port it reaches."""


class AdminDoor:
    """Stands before the application where the admin API has a port of its own."""

    def __init__(self, app: App, port: int, new_id: Callable[[], str]) -> None:
        self._app = app
        self._port = port
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on if it came to the right port; to any other it is a path that is not there."""
        path = scope["path"]
        if scope["server"][1] == self._port:
            is_here = _is_below(path, ADMIN) or _is_below(path, EVERYWHERE)
        else:
            is_here = not _is_below(path, ADMIN)
        if is_here:
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(scope["headers"], self._new_id)
        for message in error_messages(NotFound(f"There is no {path} here."), request_id, close=True):
            await send(message)


def _is_below(path: str, roots: Sequence[str]) -> bool:
    return any(path == root or path.startswith(f"{root}/") for root in roots)
