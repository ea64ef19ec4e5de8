"""`switchgear keys`: API keys made, changed, listed and revoked in the database, beside a running gateway or without one."""

from __future__ import annotations

import asyncio
import getpass
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TypeVar

import typer

from app.auth.key_desk import RESERVED, KeyDesk
from app.auth.principal import Principal
from app.auth.roles import Authority
from app.cli.database import database_of, exists, stored_keys
from app.cli.entries import print_entries, print_entry
from app.cli.options import fail
from app.cli.times import time_text
from app.config.identities import Key, KeySettings
from app.config.loader import Loaded
from app.config.problems import did_you_mean
from app.errors import NotFound
from app.store.audit import By
from app.store.keys import KeyStore, StoredKey
from providers.types import Json

Done = TypeVar("Done")
_TITLES: Mapping[str, str] = {
    "name": "name",
    "state": "state",
    "hint": "ends in",
    "models": "models",
    "created": "created",
    "expires": "expires",
    "source": "source",
}
NOTICED = "a running gateway takes notice within a second"


@dataclass(frozen=True, slots=True)
class Row:
    """What there is to tell of one key. Never the key."""

    name: str
    state: str
    """`live`, `expired` or `revoked`."""
    hint: str | None
    """Its last four characters; None for one of the configuration."""
    models: Sequence[str]
    """Empty: all."""
    created: str | None
    expires: str | None
    source: str
    """`database` or `configuration`."""


def create(loaded: Loaded, name: str, settings: Mapping[str, Json]) -> None:
    """Make a key and print it, alone, on standard output. Raises `GatewayError`, `StoreUnavailable`."""
    wanted = KeySettings().model_copy(update=dict(settings))
    key, made = asyncio.run(_at_desk(loaded, lambda desk: desk.create(name, wanted)))
    allowed = f"may use {', '.join(made.models)}" if made.models else "may use all models"
    until = f" until {time_text(made.expires)}" if made.expires else ""
    typer.echo(f"`{name}` {allowed}{until}. The key is shown this once; {NOTICED}.", err=True)
    typer.echo(key)


def update(loaded: Loaded, name: str, changes: Mapping[str, Json]) -> None:
    """Replace some settings of a live key. Raises `GatewayError`, `StoreUnavailable`."""
    _of_live_key(loaded, name, lambda desk: desk.update(name, changes))
    typer.echo(f"`{name}` is changed; {NOTICED}.")


def rotate(loaded: Loaded, name: str, grace: float) -> None:
    """Replace a live key and print the new one, alone, on standard output. Raises `GatewayError`, `StoreUnavailable`."""
    key, made = _of_live_key(loaded, name, lambda desk: desk.rotate(name, grace))
    old = (
        f"is valid until {time_text(made.previous_until)}" if made.previous_until else "is not valid any more"
    )
    typer.echo(f"The old key of `{name}` {old}. The new one is shown this once; {NOTICED}.", err=True)
    typer.echo(key)


def revoke(loaded: Loaded, name: str) -> None:
    """Revoke the live key of that name; ends with 1 if there is none. Raises `StoreUnavailable`."""
    _of_live_key(loaded, name, lambda desk: desk.revoke(name))
    typer.echo(f"`{name}` is revoked; {NOTICED}.")


def show_one(loaded: Loaded, name: str, *, as_json: bool) -> None:
    """Show what a live key carries; ends with 1 if there is none. Raises `StoreUnavailable`."""
    key = _of_live_key(loaded, name, lambda desk: desk.find(name))
    shown = {**asdict(_of_database(key, time.time())), **_carried(key)}
    print_entry(shown, as_json=as_json)


def show(loaded: Loaded, *, as_json: bool) -> None:
    """List the keys of the configuration and of the database. Raises `StoreUnavailable`."""
    stored = asyncio.run(stored_keys(loaded.config.storage))
    now = time.time()
    rows = [
        *(_of_configuration(key, now) for key in loaded.config.auth.keys),
        *(_of_database(k, now) for k in stored),
    ]
    none = "No keys yet: make one with `switchgear keys create NAME`."
    print_entries([asdict(row) for row in rows], _TITLES, none, as_json=as_json)


def _of_live_key(loaded: Loaded, name: str, work: Callable[[KeyDesk], Awaitable[Done]]) -> Done:
    """Do something with a live key; ends the command with 1 if there is none."""
    with suppress(NotFound):
        if exists(loaded.config.storage):
            return asyncio.run(_at_desk(loaded, work))
    if name in _configured(loaded):
        fail(f"`{name}` stands in the configuration: change it, or take it out of `auth.keys`, there")
    live = [key.name for key in asyncio.run(stored_keys(loaded.config.storage)) if key.revoked is None]
    return fail(
        f"there is no live key named `{name}`; {did_you_mean(name, live) or '`switchgear keys list` lists them'}"
    )


async def _at_desk(loaded: Loaded, work: Callable[[KeyDesk], Awaitable[Done]]) -> Done:
    """Do something with the keys. Whoever may write to the database may do everything."""
    async with database_of(loaded.config.storage) as database:
        authority = Authority(Principal(RESERVED, is_master=True))
        return await work(KeyDesk(KeyStore(database), loaded.config, authority, _by(), time.time))


def _by() -> By:
    try:
        return By(f"cli:{getpass.getuser()}")
    except (KeyError, OSError):
        return By(f"cli:{os.getuid()}")


def _carried(key: StoredKey) -> Mapping[str, Json]:
    return {
        "user": key.user,
        "team": key.team,
        "plan": key.plan,
        "priority": key.priority,
        "regions": key.regions or [],
        "limits": key.limits or {},
        "budget": [f"{each['amount']}/{each['per']}" for each in key.budget or ()],
        "roles": key.roles or [],
        "metadata": key.metadata,
        "previous_until": _time(key.previous_until),
    }


def _configured(loaded: Loaded) -> set[str]:
    return {key.name for key in loaded.config.auth.keys}


def _of_configuration(key: Key, now: float) -> Row:
    expires = key.expires.timestamp() if key.expires else None
    return Row(key.name, _state(expires, None, now), None, key.models, None, _time(expires), "configuration")


def _of_database(key: StoredKey, now: float) -> Row:
    return Row(
        key.name,
        _state(key.expires, key.revoked, now),
        key.hint,
        key.models or (),
        _time(key.created),
        _time(key.expires),
        "database",
    )


def _state(expires: float | None, revoked: float | None, now: float) -> str:
    if revoked is not None:
        return "revoked"
    return "expired" if expires is not None and expires <= now else "live"


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else time_text(seconds)
