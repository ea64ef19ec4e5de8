"""Options that several commands share, and how a command reads the configuration or ends."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from app.config.loader import Loaded

ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--config", "-c", help="Configuration file; several merge in order. Default: ./config.yaml if there."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def fail(message: str, exit_code: int = 1) -> NoReturn:
    """Say what is wrong on standard error and end."""
    typer.echo(f"switchgear: {message}", err=True)
    raise typer.Exit(exit_code)


@contextmanager
def failing_on(*kinds: type[Exception]) -> Iterator[None]:
    """End the command with 1 on one of these errors, which says itself what is wrong."""
    try:
        yield
    except kinds as error:
        fail(str(error))


def load_or_fail(
    files: list[Path] | None,
    overrides: Mapping[str, str] | None = None,
    environ: Mapping[str, str] = os.environ,
    exit_code: int = 1,
) -> Loaded:
    """Read the configuration; what is wrong with it goes to standard error, a line a problem, and ends the command."""
    from app.config.loader import load
    from app.config.problems import ConfigError

    try:
        return load(files or [], environ, overrides or {})
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(exit_code) from None
