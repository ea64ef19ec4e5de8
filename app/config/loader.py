"""Files, variables and options → the configuration, or everything that is wrong with it.

The order, the first winning: command line, environment, files (the last of several), defaults.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.config.activation import (
    ActiveProvider,
    KnownProvider,
    ProviderCredential,
    activate,
    switched_on,
)
from app.config.checks import check, idle_groups, literal_secrets, skipped_targets, thin_master_key
from app.config.composing import LARGEST_TEXT
from app.config.environment import CONFIG_VARIABLE, from_command_line, from_environment, lay_over
from app.config.extras import missing_extras
from app.config.models import Config
from app.config.problems import ConfigError, Mark, Problem
from app.config.problems import Path as Place
from app.config.reading import Reader
from app.config.secret_files import SecretFiles
from app.config.stamps import Stamp
from app.config.tls import unusable_files
from app.config.tree import Node, merge
from app.config.validation import Validation
from providers.catalog import CATALOG, Provider

DEFAULT_FILE = Path("config.yaml")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used, and what was found out while loading it."""

    config: Config
    providers: tuple[ActiveProvider, ...]
    """What is on: in the order of the files, then of the catalogue."""
    warnings: tuple[str, ...] = ()
    """What should be changed."""
    notices: tuple[str, ...] = ()
    """What is good to know, such as a provider that is off."""
    files: tuple[Path, ...] = ()
    """The configuration files, in the order they were merged."""
    secret_files: tuple[Path, ...] = ()
    """The files that hold secrets."""
    certificates: tuple[tuple[Stamp | None, ...], ...] = ()
    """What changes when a provider's certificate files do."""
    known: tuple[KnownProvider, ...] = ()
    """What is on, and what a credential would switch on, in the same order."""

    def with_credentials(self, stored: Mapping[str, Sequence[ProviderCredential]]) -> Loaded:
        """Give it with credentials of the database, by provider; those of providers that are not known count for nothing."""
        if not stored:
            return self
        providers = switched_on(self.known, stored)
        return replace(self, providers=providers, notices=_notices(self.config, self.known, providers))


def load(
    files: Sequence[Path],
    environ: Mapping[str, str],
    overrides: Mapping[str, str],
    *,
    catalog: Mapping[str, Provider] = CATALOG,
    clock: Callable[[], float] = time.monotonic,
) -> Loaded:
    """Load the configuration; `overrides` by dotted path. Raises `ConfigError` with all problems.

    Without files, those that SWITCHGEAR_CONFIG names are read, else `config.yaml` if there is one.
    """
    chosen = tuple(files) or _default_files(environ)
    read = _read(chosen, environ)
    tree, unknown = lay_over(read.tree, (*from_environment(environ), *from_command_line(overrides)), catalog)
    secret_files = SecretFiles(clock)
    validation = Validation(tree, read.broken, secret_files.read)
    problems = [*read.problems, *unknown, *validation.problems]
    if validation.config is None or not read.complete:
        raise ConfigError(problems)
    activation = activate(validation.config, tree, catalog, environ)
    follow = (
        *check(validation.config, tree, catalog),
        *activation.problems,
        *unusable_files(validation.config.providers, tree),
        *missing_extras(activation.providers, tree),
    )
    problems += [problem for problem in follow if not validation.is_silenced(problem.path)]
    if problems:
        raise ConfigError(problems)
    config = validation.config
    on = {provider.name for provider in activation.providers}
    return Loaded(
        config,
        activation.providers,
        (
            *activation.warnings,
            *thin_master_key(config),
            *idle_groups(config, on),
            *_warnings_of_files(config, tree, chosen),
        ),
        _notices(config, activation.known, activation.providers),
        chosen,
        tuple(secret_files.paths),
        tuple(each.provider.pool.tls.stamps for each in activation.known),
        activation.known,
    )


def _notices(
    config: Config, known: Sequence[KnownProvider], providers: Sequence[ActiveProvider]
) -> tuple[str, ...]:
    on = {provider.name for provider in providers}
    off = (each.why_off for each in known if each.why_off and each.provider.name not in on)
    return (*off, *skipped_targets(config, on))


def _default_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    if named := [name for name in environ.get(CONFIG_VARIABLE, "").split(os.pathsep) if name]:
        return tuple(map(Path, named))
    return (DEFAULT_FILE,) if DEFAULT_FILE.exists() else ()


@dataclass(frozen=True, slots=True)
class _Files:
    tree: Node
    problems: tuple[Problem, ...] = ()
    broken: tuple[Place, ...] = ()
    """Paths whose values could not be interpolated."""
    complete: bool = True
    """Whether every file could be read: if not, what seems unknown may stand in another one."""


def _read(files: Sequence[Path], environ: Mapping[str, str]) -> _Files:
    read = _Files(Node({}, Mark("configuration")))
    for file in files:
        reader = Reader(str(file), environ)
        try:
            tree = reader.read(_bytes(file))
        except OSError as error:
            tree = None
            reader.problems.append(
                Problem(Mark(str(file)), (), f"cannot be read: {os.strerror(error.errno or 0)}")
            )
        read = _Files(
            merge(read.tree, tree) if tree else read.tree,
            (*read.problems, *reader.problems),
            (*read.broken, *reader.broken),
            complete=read.complete and tree is not None,
        )
    return read


def _bytes(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(LARGEST_TEXT + 1)


def _warnings_of_files(config: Config, tree: Node, files: Sequence[Path]) -> list[str]:
    with_secrets = {mark.source for mark in literal_secrets(config, tree)}
    return [
        f"{file} holds secrets and can be read by others: chmod 600 {file}"
        for file in files
        if str(file) in with_secrets and file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH)
    ]
