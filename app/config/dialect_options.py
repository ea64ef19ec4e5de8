"""The settings that a dialect has of its own, such as the version of an API: what is known, given and missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from app.config.environment import first_set
from app.config.problems import Problem, did_you_mean
from app.config.tree import Node, place
from providers.dialect import Option
from providers.registry import DIALECTS


def known_to(dialect: str) -> Mapping[str, Option]:
    """Give the options that a dialect knows."""
    known = DIALECTS.get(dialect)
    return known.options if known else {}


def values_for(dialect: str, given: Mapping[str, str], environ: Mapping[str, str]) -> Mapping[str, str]:
    """Give the value of each option: the file's, the vendor's variable's, or the usual one."""
    known = known_to(dialect)
    usual = {name: option.default for name, option in known.items() if option.default is not None}
    variables = {name: first_set(option.env, environ) for name, option in known.items()}
    return {
        **usual,
        **{name: environ[variable] for name, variable in variables.items() if variable},
        **given,
    }


def missing(dialect: str, options: Mapping[str, str], base_url: str) -> Iterator[str]:
    """Give the names of what has to be given and is not; `base_url` as it is with what is given filled in."""
    for name, option in known_to(dialect).items():
        if name not in options and (not option.in_url_only or f"{{{name}}}" in base_url):
            yield name


def filled(base_url: str, dialect: str, options: Mapping[str, str]) -> str:
    """Fill in what stands in braces: options, and what the dialect works out from them."""
    known = DIALECTS.get(dialect)
    derived = known.derived(options) if known else {}
    for name, value in {**options, **derived}.items():
        base_url = base_url.replace(f"{{{name}}}", value)
    return base_url


def problems(
    provider: str, dialect: str, given: Mapping[str, str], missing: Iterable[str], tree: Node
) -> Iterator[Problem]:
    """Say which of a provider's options are unknown, and which are missing."""
    path, known = ("providers", provider, "options"), known_to(dialect)
    for name in sorted(given.keys() - known.keys()):
        hint = did_you_mean(name, known) or f"known: {', '.join(sorted(known)) or 'none'}"
        message = f"the dialect `{dialect}` has no option `{name}`"
        yield Problem(place(tree, (*path, name)), (*path, name), message, hint)
    for name in missing:
        variables = f", or set {' or '.join(known[name].env)}" if known[name].env else ""
        message = f"the dialect `{dialect}` needs the option `{name}`"
        yield Problem(place(tree, path[:2]), path, message, f"write `options: {{{name}: …}}`{variables}")
