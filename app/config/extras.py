"""Libraries that only some settings need: which, and whether they are there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import NamedTuple

from app.config.activation import ActiveProvider
from app.config.problems import Problem
from app.config.tree import Node, place


class Extra(NamedTuple):
    """A library, and the extra of ours that brings it."""

    modules: tuple[str, ...]
    name: str


BY_AUTH: Mapping[str, Extra] = {
    "aws": Extra(("botocore",), "bedrock"),
    "entra": Extra(("azure.identity",), "azure"),
    "google": Extra(("google.auth", "requests"), "vertex"),
}


def missing_extras(providers: Iterable[ActiveProvider], tree: Node) -> Iterator[Problem]:
    """Say which providers want a library that is not installed."""
    for provider in providers:
        extra = BY_AUTH.get(provider.auth)
        if extra and not all(map(_is_there, extra.modules)):
            path = ("providers", provider.name, "auth")
            yield Problem(
                place(tree, path),
                path,
                f"`{provider.auth}` needs a library that is not installed",
                f"pip install 'switchgear[{extra.name}]'",
            )


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        # Of `google.auth`, not even `google` is there.
        return False
