"""What the commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import typer

from providers.types import Json

GAP = "  "


def print_json(value: Json) -> None:
    """Print indented JSON."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows below their columns: drawn on a terminal, aligned text elsewhere."""
    shown = [[printable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _draw(columns, shown)
    else:
        typer.echo("\n".join(_aligned([list(columns), *shown])))


def print_pairs(pairs: Sequence[tuple[str, str]]) -> None:
    """Print names and what they stand for, aligned."""
    typer.echo("\n".join(_aligned([[name, printable(text)] for name, text in pairs])))


def printable(text: str) -> str:
    """Replace what a terminal would obey: names come from configuration and clients."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(*(Column(name, overflow="fold") for name in columns), box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
