"""The HTTP server: uvicorn with the front door's protocol on it, and the order in which it stops.

uvicorn stops by refusing new connections at once, which loses the calls of all who cannot know. So
its loop and its protocol stay, and the way down is ours.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import uvicorn

from app.api.accepting import Acceptor
from app.api.asgi import App
from app.api.farewell import Farewell
from app.api.front_door import FrontDoorLimits, FrontDoorProtocol, front_door
from app.api.front_door_head import HostRule
from app.api.listening import BACKLOG
from app.api.porter import Doorkeeper
from app.api.readiness import Readiness
from app.config.models import Server as ServerConfig
from app.errors import GatewayError

LAST_ANSWERS = 1.5
"""Seconds for calls that are cut off to tell their clients, and to write their records."""
LAST_BYTES = 0.5
"""Seconds for what they said to leave."""
POLL = 0.05


@dataclass(frozen=True, slots=True)
class Stop:
    """How to stop. Seconds."""

    accept: float
    """For how long new calls are still taken, so that those who choose can choose another instance."""
    silence: float
    """For how long a client that has not been told `connection: close` may ask again."""
    drain: float
    """How long running calls may take."""
    successor: bool = False
    """Whether another process serves the same address: then this instance stays ready."""


class Server(uvicorn.Server):
    """A server that leaves signals to its owner, and stops in good order."""

    def __init__(
        self,
        settings: uvicorn.Config,
        front_door: type[FrontDoorProtocol],
        readiness: Readiness,
        farewell: Farewell,
        hosts: HostRule,
    ) -> None:
        super().__init__(settings)
        self._front_door = front_door
        self._hosts = hosts
        self._readiness = readiness
        self._farewell = farewell
        self._stop = Stop(0.0, 0.0, 0.0)
        self._hurried = False
        self._on_started: Callable[[], None] = _nothing

    async def serve_on(self, listeners: Sequence[socket.socket], on_started: Callable[[], None]) -> None:
        """Serve until `stop`, and to the end of the last call. `on_started` hears when it accepts."""
        self._on_started = on_started
        await self.serve(sockets=list(listeners))

    def stop(self, how: Stop) -> None:
        """Begin to stop. Asked again, running calls are waited for no longer."""
        if self.should_exit:
            self._hurried = True
            return
        if not how.successor:
            self._readiness.stop()
        self._stop = how
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none: uvicorn raises each again when it has served, before the last records are written."""
        yield

    def configure(self, config: ServerConfig) -> None:
        """Take what of the settings can change while it serves."""
        self._hosts.configure(config.allowed_hosts)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept, then say so."""
        self._acceptors = [Acceptor(each, self._protocol) for each in sockets or ()]
        self.started = True
        self._on_started()

    def _protocol(self) -> asyncio.Protocol:
        return self._front_door(self.config, self.server_state, self.lifespan.state)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say farewell, stop accepting, let running calls end, cut off the rest."""
        self._leave(self._stop.silence)
        await self._until(lambda: self._hurried, self._stop.accept)
        for acceptor in self._acceptors:
            acceptor.close()
        for listener in sockets or ():
            listener.close()
        await self._until(self._is_done, self._stop.drain)
        await self._cut_off()

    def _leave(self, silence: float) -> None:
        self._farewell.begin(silence)
        for connection in self._connections():
            connection.leave(silence)

    async def _cut_off(self) -> None:
        tasks = set(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=LAST_ANSWERS)
        self._leave(0.0)
        await self._until(lambda: not self.server_state.connections, LAST_BYTES)
        for connection in self._connections():
            connection.transport.abort()

    def _is_done(self) -> bool:
        return self._hurried or not (self.server_state.connections or self.server_state.tasks)

    def _connections(self) -> list[FrontDoorProtocol]:
        return [each for each in self.server_state.connections if isinstance(each, FrontDoorProtocol)]

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not condition():  # noqa: ASYNC110 - uvicorn's connections and tasks tell nobody
                    await asyncio.sleep(POLL)


def _nothing() -> None:
    pass


Refused = Callable[[str, GatewayError], None]
"""Told the request id and the error of what the front door refuses by itself."""


def http_server(
    app: App,
    config: ServerConfig,
    new_id: Callable[[], str],
    refused: Refused,
    readiness: Readiness,
    porter: Doorkeeper,
) -> Server:
    """Build the server. Its lifespan is off: what it needs is open before it starts."""
    farewell, hosts = Farewell(), HostRule(config.allowed_hosts)
    limits = FrontDoorLimits(write_stall=config.write_stall)
    protocol = front_door(limits, hosts, new_id, refused, farewell, porter)
    settings = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        backlog=BACKLOG,
        proxy_headers=False,
    )
    return Server(settings, protocol, readiness, farewell, hosts)
