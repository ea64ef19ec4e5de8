"""The HTTP server: a listening socket of ours, and uvicorn with the front door's protocol on it."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from app.api.asgi import App
from app.api.front_door import FrontDoorLimits, front_door
from app.config.models import Server as ServerConfig

BACKLOG = 2048


class CannotListen(Exception):
    """The address cannot be listened on; the text says why."""


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket. Raises `CannotListen`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        raise CannotListen(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose another with `--port` or `server.port`"
        ) from None
    return listener


def http_server(app: App, config: ServerConfig, new_id: Callable[[], str]) -> uvicorn.Server:
    """Build the server. Its lifespan is off: what it needs is open before it starts."""
    settings = uvicorn.Config(
        app,
        http=front_door(FrontDoorLimits(), config.allowed_hosts, new_id),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=max(1, round(config.drain)),
        backlog=BACKLOG,
        proxy_headers=False,
    )
    return uvicorn.Server(settings)
