"""The `switchgear` command. Each command imports what it needs when it runs, so that all start fast."""

from __future__ import annotations

from app.cli.program import program


def main() -> None:
    """Run the command line."""
    program()
