"""Which dialects a provider is spoken to in, by model, and whether there are such dialects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from app.config.problems import Path, Problem, did_you_mean
from app.config.tree import Node, place
from providers.catalog import Provider
from providers.registry import DIALECTS


def by_pattern(given: Mapping[str, str], dialect: str, row: Provider) -> Mapping[str, str]:
    """Give the dialects of models that have one of their own: what the file says comes first.

    What a row of the catalogue says of single models, it says beside its own dialect.
    """
    return {**given, **row.dialects, **given} if dialect == row.dialect else given


def unknown(provider: str, dialect: str, by_model: Mapping[str, str], tree: Node) -> Iterator[Problem]:
    """Say which of a provider's dialects do not exist."""
    path = ("providers", provider)
    named: list[tuple[Path, str]] = [((*path, "dialect"), dialect)]
    named += [((*path, "dialects", pattern), each) for pattern, each in by_model.items()]
    for at, each in named:
        if each not in DIALECTS:
            hint = did_you_mean(each, DIALECTS) or f"known: {', '.join(sorted(DIALECTS))}"
            yield Problem(place(tree, at), at, f"there is no dialect `{each}`", hint)
