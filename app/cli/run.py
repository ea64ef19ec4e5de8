"""`switchgear run`: read the configuration, refuse what is unsafe, open, say how to call, serve."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import uvloop
from structlog.typing import FilteringBoundLogger

from app.api.admin_door import AdminDoor
from app.api.asgi import App
from app.api.listening import listen, wanted_by
from app.api.server import LAST_ANSWERS, LAST_BYTES, Server, Stop, http_server
from app.api.snapshot import Current
from app.auth.making import PREFIX
from app.cli.addresses import in_url, reachable
from app.cli.first_start import create_command, ensure_key, greeting
from app.config.loader import Loaded
from app.main import LEDGER_FLUSH, create_app, new_id
from app.reloading import Reloader
from app.supervisor.lifeline import NoLifeline, take_lifeline
from app.telemetry.logging import configure
from app.telemetry.output import Output
from app.version import VERSION

GARBAGE = 20_000
"""Objects made and not freed after which a collection is due; Python's 700 are a few calls' worth."""
LAST_LINES = 1.0
"""Seconds for the last lines of the log to be taken."""
LAST_WORDS = LAST_ANSWERS + LAST_BYTES + LEDGER_FLUSH + LAST_LINES
"""Seconds from the end of `server.drain` to the end of the process, at most."""


def run(loaded: Loaded, read: Callable[[], Loaded]) -> None:
    """Serve until told to stop; `read` reads the configuration anew. Raises `UnsafeToListen`, `CannotListen`, `StoreUnavailable`."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(_serve(loaded, read))


async def _serve(loaded: Loaded, read: Callable[[], Loaded]) -> None:
    config = loaded.config
    out = Output(sys.stdout.buffer)
    log = configure(out, level=config.logging.level, format=config.logging.format)
    try:
        await _serve_to(out, log, Setting(loaded, read, take_lifeline(os.environ)))
    finally:
        out.close(LAST_LINES)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a serving process starts with."""

    loaded: Loaded
    read: Callable[[], Loaded]
    """Reads the configuration anew."""
    lifeline: NoLifeline


async def _serve_to(out: Output, log: FilteringBoundLogger, setting: Setting) -> None:
    loaded, lifeline = setting.loaded, setting.lifeline
    config = loaded.config
    async with create_app(loaded, setting.read, log, out) as running:
        key = await ensure_key(loaded, running)
        listeners = listen(wanted_by(config), lifeline.inherited)
        host, port, *_ = listeners[0].getsockname()
        server = http_server(
            _behind_doors(running.app, listeners),
            config.server,
            new_id,
            running.refused,
            running.readiness,
            running.porter,
        )
        log.info(
            "listening", version=VERSION, host=host, port=port, providers=[p.name for p in loaded.providers]
        )
        for admin in listeners[1:]:
            log.info("listening_for_admin", host=admin.getsockname()[0], port=admin.getsockname()[1])
        for notice in loaded.notices:
            log.info("configuration", notice=notice)
        if not lifeline.inherited or key.startswith(PREFIX):
            url = f"http://{in_url(reachable(host))}:{port}"
            example = running.current.snapshot.router.example()
            out.write(greeting(url, example, key, create_command(loaded.files)))
        running.deployment.followers.append(lambda config: server.configure(config.server))
        _reload_on_hangup(running.reloader)
        _stop_when_told(server, running.current, lifeline)
        _collect_less()
        await server.serve_on(listeners, lambda: lifeline.ready(listeners))


def _behind_doors(app: App, listeners: Sequence[socket.socket]) -> App:
    """Keep what comes through the admin API's own port apart, where it has one."""
    for admin in listeners[1:]:
        app = AdminDoor(app, admin.getsockname()[1], new_id)
    return app


def _collect_less() -> None:
    """Leave what was made to start out of garbage collections, and make them rarer: a call leaves few cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)


def _reload_on_hangup(reloader: Reloader) -> None:
    """Let SIGHUP take the configuration anew."""
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = loop.create_task(reloader.try_reload("SIGHUP"), name="reload")
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)


def _stop_when_told(server: Server, current: Current, lifeline: NoLifeline) -> None:
    def at_once() -> Stop:
        return Stop(0.0, 0.0, current.snapshot.config.server.drain)

    def with_notice() -> Stop:
        settings = current.snapshot.config.server
        return Stop(settings.drain_notice, settings.drain_notice, settings.drain)

    def followed() -> Stop:
        # The one that follows this process accepts on the same socket already.
        return replace(with_notice(), accept=0.0, successor=True)

    def stop(how: Callable[[], Stop]) -> None:
        server.stop(how())

    loop = asyncio.get_running_loop()
    ways = {signal.SIGTERM: with_notice, signal.SIGINT: at_once, signal.SIGUSR2: followed}
    for number, how in ways.items():
        loop.add_signal_handler(number, stop, how)
    # Nobody would replace it, and whoever is started instead needs the address.
    lifeline.on_end(loop, lambda: stop(at_once))
