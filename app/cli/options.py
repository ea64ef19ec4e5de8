"""Options that several commands share, and how a command reads the configuration or ends."""

from __future__ import annotations

import os
from collections.abc import Mapping
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


def fail(message: str) -> NoReturn:
    """Say what is wrong on standard error and end with 1."""
    typer.echo(message, err=True)
    raise typer.Exit(1)


def load_or_fail(files: list[Path] | None, overrides: Mapping[str, str] | None = None) -> Loaded:
    """Read the configuration; warnings go to standard error, and any error ends the command with 1."""
    from app.config.loader import load
    from app.config.problems import ConfigError

    try:
        loaded = load(files or [], os.environ, overrides or {})
    except ConfigError as error:
        fail(str(error))
    for warning in loaded.warnings:
        typer.echo(f"warning: {warning}", err=True)
    return loaded
