"""`switchgear providers credentials`: providers' credentials in the database, beside a running gateway or without one."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TypeVar

import typer

from app.auth.upstream.desk import LONGEST, CredentialDesk
from app.auth.upstream.sealing import Place, unseal
from app.cli.database import database_of, stored_credentials, whoever
from app.cli.keys import NOTICED
from app.cli.output import print_json, print_table
from app.cli.times import time_text
from app.config.encryption import usable
from app.config.loader import Loaded
from app.store.credentials import CredentialStore, StoredCredential
from providers.types import Json, Secret

Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Row:
    """What there is to tell of one credential. Never the credential."""

    provider: str
    id: int
    hint: str
    """Its last four characters; empty where it is short."""
    opened: bool
    """Whether a key of `encryption.keys` opens it."""
    weight: int
    models: list[str]
    created: str
    created_by: str
    changed: str


def read_secret(provider: str) -> Secret:
    """Ask for a credential, or read it where no terminal is: never from the arguments, which all users of a machine see."""
    if sys.stdin.isatty():
        return Secret(typer.prompt(f"Credential of {provider}", hide_input=True, err=True))
    return Secret(sys.stdin.read(LONGEST + 2).removesuffix("\n").removesuffix("\r"))


def add(loaded: Loaded, provider: str, key: Secret, settings: Mapping[str, Json]) -> None:
    """Add a credential. Raises `GatewayError`, `StoreUnavailable`."""
    added = _at_desk(loaded, lambda desk: desk.add(provider, key, settings))
    typer.echo(f"{provider} has the credential {added.id}{_ending(added)}; {NOTICED}.")


def replace(loaded: Loaded, provider: str, id: int, key: Secret) -> None:
    """Put another text in the place of a credential's. Raises `GatewayError`, `StoreUnavailable`."""
    changed = _at_desk(loaded, lambda desk: desk.change(provider, id, key, {}))
    typer.echo(f"The credential {id} of {provider} is replaced{_ending(changed)}; {NOTICED}.")


def remove(loaded: Loaded, provider: str, id: int) -> None:
    """Remove a credential. Raises `GatewayError`, `StoreUnavailable`."""
    removed = _at_desk(loaded, lambda desk: desk.remove(provider, id))
    typer.echo(f"The credential {id} of {provider}{_ending(removed)} is removed; {NOTICED}.")


def reseal(loaded: Loaded) -> None:
    """Seal all with the first key. Raises `GatewayError`, `StoreUnavailable`."""
    count = _at_desk(loaded, lambda desk: desk.reseal())
    typer.echo(f"Credentials sealed anew: {count}. The other keys can go once every gateway has the first.")


def show(loaded: Loaded, provider: str | None, *, as_json: bool) -> None:
    """List those of a provider, or all. Raises `StoreUnavailable`."""
    keys = usable(loaded.config.encryption.keys)
    found = asyncio.run(stored_credentials(loaded.config.storage))
    rows = [_row(each, keys) for each in found if provider in (None, each.provider)]
    if as_json:
        print_json([asdict(row) for row in rows])
    elif not rows:
        typer.echo(
            "No credentials in the database: add one with `switchgear providers credentials add NAME`."
        )
    else:
        columns = ("provider", "id", "ends in", "state", "weight", "models", "created", "by", "changed")
        print_table(columns, [_cells(row) for row in rows])


def _at_desk(loaded: Loaded, work: Callable[[CredentialDesk], Awaitable[Done]]) -> Done:
    """Do something with the credentials. Whoever may write to the database may do everything."""

    async def run() -> Done:
        async with database_of(loaded.config.storage) as database:
            desk = CredentialDesk(CredentialStore(database), loaded, whoever(), time.time, os.urandom)
            return await work(desk)

    return asyncio.run(run())


def _ending(row: StoredCredential) -> str:
    return f" (it ends in {row.hint})" if row.hint else ""


def _row(row: StoredCredential, keys: tuple[bytes, ...]) -> Row:
    return Row(
        row.provider,
        row.id,
        row.hint,
        unseal(row.sealed, Place(row.provider, row.id), keys) is not None,
        row.weight,
        list(row.models),
        time_text(row.created),
        row.created_by,
        time_text(row.changed),
    )


def _cells(row: Row) -> tuple[str, ...]:
    return (
        *(row.provider, str(row.id), row.hint or "-", "in use" if row.opened else "no key opens it"),
        *(str(row.weight), ", ".join(row.models) or "all", row.created, row.created_by, row.changed),
    )
