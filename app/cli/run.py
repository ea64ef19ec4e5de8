"""`switchgear run`: read the configuration, refuse what is unsafe, open, say how to call, serve."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import typer
import uvloop

from app.api.addresses import is_loopback
from app.api.server import http_server, listen
from app.auth.making import make_key
from app.cli.addresses import in_url, reachable
from app.config.loader import Loaded
from app.main import Running, create_app, new_id
from app.store.database import sqlite_path
from app.telemetry.logging import configure
from app.version import VERSION

LAST_CALLS = 5.0
"""Seconds for cancelled calls to end."""
FIRST_KEY = "first"
"""The name of the key that the first start makes."""


class UnsafeToListen(Exception):
    """Anyone who reaches the address could use it; the text says what to do."""


def run(loaded: Loaded) -> None:
    """Serve until told to stop. Raises `UnsafeToListen`, `CannotListen`, `StoreUnavailable`."""
    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(_serve(loaded))


async def _serve(loaded: Loaded) -> None:
    config = loaded.config
    log = configure(level=config.logging.level, format=config.logging.format)
    async with create_app(loaded, log, sys.stdout.buffer) as running:
        key = await _ensure_key(loaded, running)
        listener = listen(config.server.host, config.server.port)
        server = http_server(running.app, config.server, new_id, running.refused)
        host, port = listener.getsockname()[:2]
        log.info(
            "listening", version=VERSION, host=host, port=port, providers=[p.name for p in loaded.providers]
        )
        for notice in loaded.notices:
            log.info("configuration", notice=notice)
        typer.echo(_greeting(f"http://{in_url(reachable(host))}:{port}", _model(running), key))
        server.stop_on_signals()
        await server.serve(sockets=[listener])
        # Calls that were cancelled at the end of the drain still have their records to write.
        if running_calls := server.server_state.tasks:
            await asyncio.wait(running_calls, timeout=LAST_CALLS)


async def _ensure_key(loaded: Loaded, running: Running) -> str:
    """See that there is a key to call with; give what the printed curl is to use as one."""
    config = loaded.config
    if running.keys.has_configured():
        return "$SWITCHGEAR_KEY"
    key_file = sqlite_path(config.storage).with_suffix(".key")
    stored = await running.key_store.list_keys()
    if any(key.revoked is None for key in stored):
        return f"$(cat {key_file})" if key_file.exists() else "$SWITCHGEAR_KEY"
    if not is_loopback(config.server.host):
        raise UnsafeToListen(
            f"refusing to listen on {config.server.host} without authentication: set SWITCHGEAR_MASTER_KEY, "
            "or `auth.keys`, or make a key with `switchgear keys create`"
        )
    key, new = make_key(FIRST_KEY)
    await running.key_store.create_key(new, time.time())
    await running.stored.refresh()
    if sys.stdout.isatty():
        return key
    _write_private(key_file, key)
    return f"$(cat {key_file})"


def _write_private(path: Path, text: str) -> None:
    # Made readable by its owner alone before anything is in it.
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text + "\n")


def _model(running: Running) -> str:
    return running.router.example()


def _greeting(url: str, model: str, key: str) -> str:
    made = "" if key.startswith("sk-") else "\nA new key: switchgear keys create NAME"
    if key.startswith("sk-"):
        made = "\nThis key is shown once. A new one: switchgear keys create NAME"
    return (
        f"\nSwitchgear serves {url}/v1 - try it:\n\n"
        f"  curl {url}/v1/chat/completions \\\n"
        f'    -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\\n'
        f'    -d \'{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}\'\n'
        f"{made}\n"
    )
