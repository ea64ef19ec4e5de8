"""The commands that have commands of their own, and their arguments."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from app.cli.credential_group import credentials
from app.cli.options import AsJson, ConfigFiles, load_or_fail

providers = typer.Typer(
    name="providers",
    help="List the providers, test one, or keep credentials for them.",
    rich_markup_mode=None,
)
providers.add_typer(credentials)


@providers.callback(invoke_without_command=True)
def list_providers(context: typer.Context, config: ConfigFiles = None, *, as_json: AsJson = False) -> None:
    """List the providers: on or off, and why."""
    context.obj = config
    if context.invoked_subcommand is None:
        from app.cli.database import at_work
        from app.cli.providers import providers as show

        show(at_work(load_or_fail(config)), os.environ, as_json=as_json)


@providers.command("test")
def try_provider(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A provider that is on.")],
    config: ConfigFiles = None,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="What to call, as the provider names it.")
    ] = None,
) -> None:
    """Ask a provider for its models, and call one of them: does it answer, and take the credential?"""
    from app.cli.database import at_work
    from app.cli.probing import probe

    probe(at_work(load_or_fail(config or context.obj)), name, model)
