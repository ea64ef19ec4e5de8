"""The `switchgear` command. Each command imports what it needs when it runs, so that all start fast."""

from __future__ import annotations

import io
import os
import sys

from app.supervisor.lifeline import is_watched


def main() -> None:
    """Run the command line. `run` is run by a process of its own, and this one watches over it."""
    if sys.argv[1:2] == ["run"] and not is_watched(os.environ):
        from app.supervisor.parent import supervise

        sys.exit(supervise([sys.executable, *sys.orig_argv[1:]], os.environ))
    from app.cli.program import program

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Where the encoding lacks a character, its number is better than no output.
            stream.reconfigure(errors="backslashreplace")
    try:
        program(prog_name="switchgear")
    except OSError as error:
        # What could not be written is not tried again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(f"switchgear: {where}{error.strerror or error}")
