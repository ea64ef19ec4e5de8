"""`switchgear diff`: what changes from one configuration file to another."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from app.cli.options import load_or_fail
from app.cli.output import printable
from app.config.diff import diff as changes_between
from app.config.environment import PREFIX

BROKEN = 2


def diff(before: Path, after: Path) -> bool:
    """Print the changes and say whether there are any. A file that does not load ends the command with 2."""
    # The settings in the environment lie over both files and would hide what differs beneath.
    environ = {
        name: value for name, value in os.environ.items() if not (name.startswith(PREFIX) and "__" in name)
    }
    old = load_or_fail([before], environ=environ, exit_code=BROKEN)
    new = load_or_fail([after], environ=environ, exit_code=BROKEN)
    changes = changes_between(old.config, new.config)
    for change in changes:
        typer.echo(printable(str(change)))
    return bool(changes)
