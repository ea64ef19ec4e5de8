"""The commands that have commands of their own, and their arguments."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from app.cli.options import AsJson, ConfigFiles, failing_on, load_or_fail

keys = typer.Typer(
    name="keys", help="Make, list and revoke API keys.", rich_markup_mode=None, no_args_is_help=True
)
providers = typer.Typer(name="providers", help="List the providers, or test one.", rich_markup_mode=None)

KeyName = Annotated[str, typer.Argument(metavar="NAME", help="What logs and reports call the key.")]


@keys.command()
def create(
    name: KeyName,
    models: Annotated[
        str | None, typer.Option(help="Models that it may use, with commas: fast,openai/*. Default: all.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="When it ends: a duration from now (30d) or a date (2030-12-31).")
    ] = None,
    config: ConfigFiles = None,
) -> None:
    """Make a key. It is printed once, alone, on standard output."""
    from app.cli.keys import create as make
    from app.cli.times import read_expiry
    from app.store.database import StoreUnavailable
    from app.store.keys import KeyConflict

    ends = None if expires is None else read_expiry(expires)
    allowed = [part.strip() for part in models.split(",")] if models is not None else []
    if not all(allowed):
        raise typer.BadParameter(
            "a name is empty; write names or patterns with commas: fast,openai/*", param_hint="--models"
        )
    with failing_on(ValueError, KeyConflict, StoreUnavailable):
        make(load_or_fail(config), name, allowed, ends)


@keys.command("list")
def list_keys(config: ConfigFiles = None, *, as_json: AsJson = False) -> None:
    """List keys: by name and last characters, never the keys themselves."""
    from app.cli.keys import show
    from app.store.database import StoreUnavailable

    with failing_on(StoreUnavailable):
        show(load_or_fail(config), as_json=as_json)


@keys.command()
def revoke(name: KeyName, config: ConfigFiles = None) -> None:
    """Revoke a key for good."""
    from app.cli.keys import revoke as end
    from app.store.database import StoreUnavailable

    with failing_on(StoreUnavailable):
        end(load_or_fail(config), name)


@providers.callback(invoke_without_command=True)
def list_providers(context: typer.Context, config: ConfigFiles = None, *, as_json: AsJson = False) -> None:
    """List the providers: on or off, and why."""
    context.obj = config
    if context.invoked_subcommand is None:
        from app.cli.providers import providers as show

        show(load_or_fail(config), os.environ, as_json=as_json)


@providers.command("test")
def try_provider(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A provider that is on.")],
    config: ConfigFiles = None,
) -> None:
    """Ask a provider for its models: does it answer, and take the credential?"""
    from app.cli.probing import probe

    probe(load_or_fail(config or context.obj), name)
