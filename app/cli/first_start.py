"""What the start says: that there is a key to call with, and how to call."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from app.api.addresses import is_loopback
from app.auth.keyring import KeyRing
from app.auth.making import PREFIX, make_key
from app.auth.presented import digest
from app.auth.roles import anyone_administers
from app.config.loader import DEFAULT_FILE, Loaded
from app.config.models import Config
from app.main import Running

FIRST_KEY = "first"
"""The name of the key that the first start makes."""


class UnsafeToListen(Exception):
    """Anyone who reaches the address could use it; the text says what to do."""


async def ensure_key(loaded: Loaded, running: Running) -> str:
    """See that there is a key to call with; give what the printed curl is to use as one.

    Raises `UnsafeToListen`, `StoreUnavailable`.
    """
    config, now = loaded.config, time.time()
    _refuse_unreachable_admin(config, running.keys)
    file = config.storage.local.with_suffix(".key")
    if _is_valid(file, running.keys):
        return _contents(file)
    if config.auth.jwt or any(key.expires is None or key.expires > now for key in running.keys.principals()):
        return "$SWITCHGEAR_KEY"
    if not is_loopback(config.server.host):
        raise UnsafeToListen(
            f"refusing to listen on {config.server.host} without authentication: set SWITCHGEAR_MASTER_KEY, "
            "or `auth.keys`, or `auth.jwt`, or make a key with `switchgear keys create`"
        )
    key = await _make_first(running, now)
    if sys.stdout.isatty():
        return key
    _write_private(file, key)
    return _contents(file)


def _refuse_unreachable_admin(config: Config, keys: KeyRing) -> None:
    """Refuse to show an admin API to other machines that nobody could use: a mistake that is better seen at once."""
    admin = config.admin
    if admin.port is None or is_loopback(admin.host):
        return
    if not (config.auth.jwt or anyone_administers(keys.principals())):
        raise UnsafeToListen(
            f"refusing to listen on {admin.host} (admin.host) without anybody who may administer: set "
            "SWITCHGEAR_MASTER_KEY, or give a key `roles` (`switchgear keys create --roles admin NAME`)"
        )


def greeting(url: str, model: str, key: str, create: str) -> str:
    """Say how to call with this key, and which command makes another one."""
    once = "This key is shown once. " if key.startswith(PREFIX) else ""
    return (
        f"\nSwitchgear serves {url}/v1 - try it:\n\n"
        f"  curl {url}/v1/chat/completions \\\n"
        f'    -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\\n'
        f'    -d \'{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}\'\n\n'
        f"{once}A new key: {create}\n\n"
    )


def create_command(files: Sequence[Path]) -> str:
    """Give the command that makes a key, for this program as it was started and this configuration."""
    given = (
        []
        if tuple(files) == (DEFAULT_FILE,)
        else [part for file in files for part in ("--config", str(file))]
    )
    return shlex.join([*_program(), "keys", "create", *given, "NAME"])


def _program() -> list[str]:
    started = sys.argv[0]
    if Path(started).name == "__main__.py":
        # `python -m app.cli`: all the words before the program's own.
        return sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]
    name = Path(started).name
    on_path = shutil.which(name)
    return [name if on_path and Path(on_path).absolute() == Path(started).absolute() else started]


def _is_valid(file: Path, keys: KeyRing) -> bool:
    try:
        return keys.find(digest(file.read_bytes().strip())) is not None
    except OSError:
        return False


async def _make_first(running: Running, now: float) -> str:
    # An expired key keeps its name until it is revoked.
    taken = {key.name for key in await running.key_store.list_keys() if key.revoked is None}
    names = (FIRST_KEY if number == 1 else f"{FIRST_KEY}-{number}" for number in count(1))
    key, new = make_key(next(name for name in names if name not in taken))
    await running.key_store.create_key(new, now)
    await running.stored.refresh()
    return key


def _contents(file: Path) -> str:
    return f"$(cat {shlex.quote(str(file))})"


def _write_private(path: Path, text: str) -> None:
    # Made readable by its owner alone before anything is in it.
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text + "\n")
