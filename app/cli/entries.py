"""How commands list what there is and show one of it: tables and pairs for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import typer

from app.cli.output import print_json, print_pairs, print_table
from providers.types import Json

Entry = Mapping[str, Json]

NOTHING: Mapping[str, str] = {"models": "all", "regions": "all", "expires": "never", "ends": "never"}
"""What it means that an entry has nothing under a name; `-` for all others."""


def print_entries(entries: Sequence[Entry], titles: Mapping[str, str], none: str, *, as_json: bool) -> None:
    """Print entries: all of them as JSON, or a table of some names (name → title). `none` is said where there are none."""
    if as_json:
        print_json(list(entries))
    elif not entries:
        typer.echo(none)
    else:
        print_table(
            list(titles.values()), [[_text(name, entry[name]) for name in titles] for entry in entries]
        )


def print_entry(entry: Entry, *, as_json: bool) -> None:
    """Print all of one entry."""
    if as_json:
        print_json(entry)
    else:
        print_pairs([(name, _text(name, value)) for name, value in entry.items()])


def _text(name: str, value: Json) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        value = [f"{each}={of}" for each, of in value.items()]
    if isinstance(value, list | tuple):
        value = ", ".join(map(_item, value))
    return str(value or NOTHING.get(name, "-"))


def _item(value: Json) -> str:
    # Of all that a list holds only budgets are more than a word.
    return f"{value['amount']}/{value['per']}" if isinstance(value, Mapping) else str(value)
