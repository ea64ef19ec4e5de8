"""Looks at everything, and prints what was found."""

from __future__ import annotations

import asyncio
import stat
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import typer

from app.cli.doctor.contents import read_contents
from app.cli.doctor.finding import Finding, broken, ok, warn
from app.cli.doctor.listening import look_at_address
from app.cli.doctor.machine import look_at_machine
from app.cli.doctor.shared_state import look_at_state
from app.cli.doctor.storage import files_of, look_at_storage
from app.cli.output import print_json, printable
from app.config.loader import Loaded, load
from app.config.problems import ConfigError


def doctor(files: Sequence[Path], environ: Mapping[str, str], *, as_json: bool) -> bool:
    """Print what was found; say whether nothing fails."""
    findings = list(examine(files, environ))
    counts = Counter(finding.level for finding in findings)
    if as_json:
        print_json([finding._asdict() for finding in findings])
    else:
        for finding in findings:
            typer.echo(_line(finding))
        typer.echo(f"{counts['ok']} ok, {counts['warn']} warn, {counts['fail']} fail")
    return not counts["fail"]


def examine(files: Sequence[Path], environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at everything; at what needs a configuration only if it loads."""
    yield from look_at_machine(environ)
    try:
        loaded = load(files, environ, {})
    except ConfigError as error:
        for problem in error.problems:
            yield broken("configuration", str(problem), "mend it; `switchgear check` tells when it is right")
        return
    yield from _configuration(loaded)
    storage, spool = loaded.config.storage, loaded.config.spool_folder
    contents = asyncio.run(read_contents(storage, [file.name for file in files_of(spool)]))
    yield from look_at_storage(storage, spool, contents)
    yield from asyncio.run(look_at_state(loaded.config))
    yield from look_at_address(loaded.config, contents.live_keys)


def _configuration(loaded: Loaded) -> Iterator[Finding]:
    names = ", ".join(provider.name for provider in loaded.providers)
    yield ok("configuration", f"{', '.join(map(str, loaded.files)) or 'no file'}; providers: {names}")
    for warning in loaded.warnings:
        yield warn("configuration", warning, "")
    for file in loaded.files:
        if file.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            yield warn("configuration", f"{file} can be changed by other users", f"chmod go-w {file}")


def _line(finding: Finding) -> str:
    advice = f" -> {finding.advice}" if finding.advice else ""
    return f"{finding.level:<5} {finding.subject:<14} {printable(finding.found + advice)}"
