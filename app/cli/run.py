"""`switchgear run`: read the configuration, refuse what is unsafe, open, say how to call, serve."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable

import uvloop
from structlog.typing import FilteringBoundLogger

from app.api.server import http_server, listen
from app.cli.addresses import in_url, reachable
from app.cli.first_start import create_command, ensure_key, greeting
from app.config.loader import Loaded
from app.main import create_app, new_id
from app.reloading import Reloader
from app.telemetry.logging import configure
from app.telemetry.output import Output
from app.version import VERSION

LAST_LINES = 2.0
"""Seconds for the last lines of the log to be taken."""
LAST_CALLS = 5.0
"""Seconds for cancelled calls to end."""


def run(loaded: Loaded, read: Callable[[], Loaded]) -> None:
    """Serve until told to stop; `read` reads the configuration anew. Raises `UnsafeToListen`, `CannotListen`, `StoreUnavailable`."""
    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(_serve(loaded, read))


async def _serve(loaded: Loaded, read: Callable[[], Loaded]) -> None:
    config = loaded.config
    out = Output(sys.stdout.buffer)
    log = configure(out, level=config.logging.level, format=config.logging.format)
    try:
        await _serve_to(out, log, loaded, read)
    finally:
        out.close(LAST_LINES)


async def _serve_to(
    out: Output, log: FilteringBoundLogger, loaded: Loaded, read: Callable[[], Loaded]
) -> None:
    config = loaded.config
    async with create_app(loaded, read, log, out) as running:
        key = await ensure_key(loaded, running)
        listener = listen(config.server.host, config.server.port)
        server = http_server(running.app, config.server, new_id, running.refused)
        host, port = listener.getsockname()[:2]
        log.info(
            "listening", version=VERSION, host=host, port=port, providers=[p.name for p in loaded.providers]
        )
        for notice in loaded.notices:
            log.info("configuration", notice=notice)
        url = f"http://{in_url(reachable(host))}:{port}"
        out.write(greeting(url, running.current.snapshot.router.example(), key, create_command(loaded.files)))
        server.stop_on_signals(running.readiness)
        running.deployment.followers.append(lambda config: server.configure(config.server))
        _reload_on_hangup(running.reloader)
        await server.serve(sockets=[listener])
        # Calls that were cancelled at the end of the drain still have their records to write.
        if running_calls := server.server_state.tasks:
            await asyncio.wait(running_calls, timeout=LAST_CALLS)


def _reload_on_hangup(reloader: Reloader) -> None:
    """Let SIGHUP take the configuration anew."""
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = loop.create_task(reloader.try_reload("SIGHUP"), name="reload")
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
