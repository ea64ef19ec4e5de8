"""`switchgear keys`: API keys made, listed and revoked in the database, beside a running gateway or without one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import typer

from app.auth.making import make_key
from app.cli.database import database_of, exists, stored_keys
from app.cli.options import fail
from app.cli.output import print_json, print_table
from app.cli.times import time_text
from app.config.identities import Key, KeySettings
from app.config.loader import Loaded
from app.config.problems import did_you_mean
from app.config.storage import Storage
from app.store.keys import KeyStore, NewKey, StoredKey

NOTICED = "a running gateway takes notice within a second"
RESERVED = "master"
"""What calls with the master key are told of as."""


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


def create(loaded: Loaded, name: str, models: Sequence[str], expires: float | None) -> None:
    """Make a key and print it, alone, on standard output. Raises `ValueError`, `KeyConflict`, `StoreUnavailable`."""
    if name in {RESERVED, *_configured(loaded)}:
        fail(f"the name `{name}` belongs to a key of the configuration: choose another one")
    ends = None if expires is None else datetime.fromtimestamp(expires, UTC)
    key, new = make_key(name, KeySettings(models=tuple(models), expires=ends))
    asyncio.run(_store(loaded.config.storage, new))
    allowed = f"may use {', '.join(models)}" if models else "may use all models"
    until = f" until {time_text(expires)}" if expires else ""
    typer.echo(f"`{name}` {allowed}{until}. The key is shown this once; {NOTICED}.", err=True)
    typer.echo(key)


def show(loaded: Loaded, *, as_json: bool) -> None:
    """List the keys of the configuration and of the database. Raises `StoreUnavailable`."""
    stored = asyncio.run(stored_keys(loaded.config.storage))
    now = time.time()
    rows = [
        *(_of_configuration(key, now) for key in loaded.config.auth.keys),
        *(_of_database(k, now) for k in stored),
    ]
    if as_json:
        print_json([asdict(row) for row in rows])
    elif not rows:
        typer.echo("No keys yet: make one with `switchgear keys create NAME`.")
    else:
        columns = ("name", "state", "ends in", "models", "created", "expires", "source")
        print_table(columns, [_cells(row) for row in rows])


def revoke(loaded: Loaded, name: str) -> None:
    """Revoke the live key of that name; ends with 1 if there is none. Raises `StoreUnavailable`."""
    if not (exists(loaded.config.storage) and asyncio.run(_revoke(loaded.config.storage, name))):
        if name in _configured(loaded):
            fail(f"`{name}` stands in the configuration: take it out of `auth.keys` there")
        live = [key.name for key in asyncio.run(stored_keys(loaded.config.storage)) if key.revoked is None]
        fail(
            f"there is no live key named `{name}`; {did_you_mean(name, live) or '`switchgear keys list` lists them'}"
        )
    typer.echo(f"`{name}` is revoked; {NOTICED}.")


async def _store(storage: Storage, key: NewKey) -> None:
    async with database_of(storage) as database:
        await KeyStore(database).create_key(key, time.time())


async def _revoke(storage: Storage, name: str) -> StoredKey | None:
    async with database_of(storage) as database:
        return await KeyStore(database).revoke_key(name, time.time())


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


def _cells(row: Row) -> tuple[str, ...]:
    models = ", ".join(row.models) or "all"
    return (
        row.name,
        row.state,
        row.hint or "-",
        models,
        row.created or "-",
        row.expires or "never",
        row.source,
    )
