"""Which dialects a provider is spoken to in, by model, and whether there are such dialects."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import translate
from itertools import groupby

from app.config.problems import Path, Problem, did_you_mean
from app.config.tree import Node, place
from providers.catalog import Provider
from providers.registry import DIALECTS

ByModel = tuple[tuple[re.Pattern[str], str], ...]
"""Dialects of models that have one of their own; the first that fits counts."""


def by_model(given: Mapping[str, str], dialect: str, row: Provider) -> ByModel:
    """Give the dialects by model: what the file says comes first.

    What a row of the catalogue says of single models, it says beside its own dialect.
    """
    told = {**given, **row.dialects, **given} if dialect == row.dialect else given
    # Neighbours of one dialect are one expression: every call asks.
    runs = groupby(told.items(), key=lambda each: each[1])
    return tuple((re.compile("|".join(translate(pattern) for pattern, _ in run)), each) for each, run in runs)


def unknown(provider: str, dialect: str, of_models: Mapping[str, str], tree: Node) -> Iterator[Problem]:
    """Say which of a provider's dialects do not exist."""
    path = ("providers", provider)
    named: list[tuple[Path, str]] = [((*path, "dialect"), dialect)]
    named += [((*path, "dialects", pattern), each) for pattern, each in of_models.items()]
    for at, each in named:
        if each not in DIALECTS:
            hint = did_you_mean(each, DIALECTS) or f"known: {', '.join(sorted(DIALECTS))}"
            yield Problem(place(tree, at), at, f"there is no dialect `{each}`", hint)
