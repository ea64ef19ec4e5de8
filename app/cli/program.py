"""The commands and their arguments. What each does is in the module of its name."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.options import ConfigFiles, fail, load_or_fail

program = typer.Typer(
    name="switchgear",
    help="An OpenAI-compatible gateway.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@program.command()
def version() -> None:
    """Print the version."""
    from app.version import VERSION

    typer.echo(VERSION)


@program.command()
def run(
    config: ConfigFiles = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
) -> None:
    """Start the gateway."""
    given = {"server.host": host, "server.port": None if port is None else str(port)}
    loaded = load_or_fail(config, {key: value for key, value in given.items() if value is not None})
    from app.api.server import CannotListen
    from app.cli.run import UnsafeToListen
    from app.cli.run import run as serve
    from app.store.database import StoreUnavailable

    try:
        serve(loaded)
    except (UnsafeToListen, CannotListen, StoreUnavailable) as error:
        fail(f"switchgear: {error}")
