"""The HTTP server: a listening socket of ours, and uvicorn with the front door's protocol on it."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from app.api.asgi import App
from app.api.front_door import FrontDoorLimits, front_door
from app.api.front_door_head import HostRule
from app.api.readiness import Readiness
from app.config.models import Server as ServerConfig
from app.errors import GatewayError

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
    except (OSError, UnicodeError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "no such address"
        raise CannotListen(
            f"cannot listen on {host}:{port}: {reason}; choose another with `--port` or `server.port`"
        ) from None
    return listener


class Server(uvicorn.Server):
    """A server that leaves signals to its owner.

    uvicorn raises each signal again after it has served, which would end the process before the
    last records are written.
    """

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    def __init__(self, settings: uvicorn.Config, hosts: HostRule) -> None:
        super().__init__(settings)
        self._hosts = hosts

    def configure(self, config: ServerConfig) -> None:
        """Take what of the settings can change while it serves."""
        self._hosts.configure(config.allowed_hosts)
        self.config.timeout_graceful_shutdown = max(1, round(config.drain))

    def stop_on_signals(self, readiness: Readiness) -> None:
        """Let SIGTERM and SIGINT stop it; a second SIGINT does not wait for running calls."""
        loop = asyncio.get_running_loop()

        def stop(number: int) -> None:
            readiness.stop()
            self.handle_exit(number, None)

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop, number)


Refused = Callable[[str, GatewayError], None]
"""Told the request id and the error of what the front door refuses by itself."""


def http_server(app: App, config: ServerConfig, new_id: Callable[[], str], refused: Refused) -> Server:
    """Build the server. Its lifespan is off: what it needs is open before it starts."""
    hosts = HostRule(config.allowed_hosts)
    settings = uvicorn.Config(
        app,
        http=front_door(FrontDoorLimits(), hosts, new_id, refused),
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
    return Server(settings, hosts)
