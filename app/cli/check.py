"""`switchgear check`: is the configuration right, and what does it switch on?"""

from __future__ import annotations

from urllib.parse import urlsplit

import typer

from app.cli.output import print_pairs
from app.config.activation import ActiveProvider
from app.config.loader import Loaded


def check(loaded: Loaded) -> None:
    """Say what a configuration that loads amounts to."""
    config = loaded.config
    files = ", ".join(map(str, loaded.files)) or "no file: the environment and the defaults"
    print_pairs(
        [
            ("configuration", f"{files}: ok"),
            ("listens on", f"{config.server.host}:{config.server.port}"),
            ("keys", _keys(loaded)),
            *(("provider", f"{each.name} ({place(each)})") for each in loaded.providers),
            *(("model", f"{name} → {', '.join(chain)}") for name, chain in config.chains.items()),
            *(("note", notice) for notice in loaded.notices),
            *(("warning", warning) for warning in loaded.warnings),
        ]
    )


def report_warnings(loaded: Loaded) -> None:
    """Tell of warnings on standard error, so that they do not mix with what was asked for."""
    for warning in loaded.warnings:
        typer.echo(f"warning: {warning}", err=True)


def place(provider: ActiveProvider) -> str:
    """Say where a provider is: the host of its address, or this process."""
    return urlsplit(provider.base_url).netloc if provider.transport == "http" else "in this process"


def _keys(loaded: Loaded) -> str:
    auth = loaded.config.auth
    master = ["the master key"] if auth.master_key else []
    return ", ".join([*master, *(key.name for key in auth.keys), "those that `switchgear keys list` shows"])
