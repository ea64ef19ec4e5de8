"""Variables and command line options → one tree that lies over the files.

pydantic-settings is not used: it takes a misspelt variable for none, and knows no place to point at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from app.config.models import Config
from app.config.problems import Mark, Path, Problem, did_you_mean
from app.config.reading import DEEPEST
from app.config.shape import Shape, below, is_later, is_list, is_section, is_table, known_keys, takes_list
from app.config.tree import Node, child, keys_of, merge, single
from providers.types import Json

PREFIX = "SWITCHGEAR_"
CONFIG_VARIABLE = "SWITCHGEAR_CONFIG"
MASTER_KEY_VARIABLE = "SWITCHGEAR_MASTER_KEY"


class Setting(NamedTuple):
    """One setting from outside the files, under the name it was given."""

    names: tuple[str, ...]
    value: str
    mark: Mark
    spell: Callable[[Sequence[str]], str]
    """Writes a path the way this source does, for hints."""


def variable(name: str) -> Mark:
    """Give the place of what an environment variable says."""
    return Mark(f"environment variable {name}")


def from_environment(environ: Mapping[str, str]) -> list[Setting]:
    """Find the settings among the variables. Other `SWITCHGEAR_*` names are not ours to judge."""
    settings = []
    if master_key := environ.get(MASTER_KEY_VARIABLE):
        mark = variable(MASTER_KEY_VARIABLE)
        settings.append(Setting(("auth", "master_key"), master_key, mark, _as_variable))
    for name in sorted(environ):
        if name.startswith(PREFIX) and "__" in name:
            names = tuple(name.removeprefix(PREFIX).lower().split("__"))
            settings.append(Setting(names, environ[name], variable(name), _as_variable))
    return settings


def from_command_line(overrides: Mapping[str, str]) -> list[Setting]:
    """Read options, each under its dotted path such as `server.port`."""
    return [
        Setting(tuple(name.split(".")), value, Mark("command line"), ".".join)
        for name, value in overrides.items()
    ]


def lay_over(
    tree: Node, settings: Iterable[Setting], provider_names: Iterable[str]
) -> tuple[Node, list[Problem]]:
    """Lay settings over a tree, the later over the earlier; and say which of them name nothing."""
    problems: list[Problem] = []
    known: dict[Path, tuple[str, ...]] = {("providers",): tuple(provider_names)}
    for setting in settings:
        try:
            path, shape = _resolve(setting, tree, known)
            leaf = _leaf(setting, shape, path)
        except _RefusedError as error:
            problems.append(error.problem)
        else:
            tree = merge(tree, single(path, leaf))
    return tree, problems


class _RefusedError(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def _resolve(
    setting: Setting, tree: Node, known: Mapping[Path, tuple[str, ...]]
) -> tuple[tuple[str, ...], Shape]:
    """Follow the names through the models. Raises `_RefusedError` where they lead nowhere."""
    path: tuple[str, ...] = ()
    shape: Shape = Config
    node: Node | None = tree
    for index, name in enumerate(setting.names):
        names = (*keys_of(node), *known.get(path, ())) if is_table(shape) else ()
        # A variable knows no case, no `-` and no `.`: the files and the catalogue tell the spelling.
        part = next((key for key in names if _folded(key) == _folded(name)), name)
        step = below(shape, part) if part else None
        if step is None:
            raise _RefusedError(_unknown(setting, index, shape))
        path, shape = (*path, part), step
        node = child(node, part) if node is not None else None
    return path, shape


def _unknown(setting: Setting, index: int, shape: Shape) -> Problem:
    name = setting.names[index]
    path = setting.names[: index + 1]
    if is_later(shape, name):
        return Problem(setting.mark, path, f"`{name}` is not available yet", "remove it")
    if not is_section(shape):
        return Problem(setting.mark, path, "names no setting", "it goes deeper than the settings do")
    *parents, _ = path
    rest = setting.names[index + 1 :]
    if not (hint := did_you_mean(name, known_keys(shape))):
        hint = f"known here: {', '.join(setting.spell((*parents, key)) for key in known_keys(shape))}"
    for key in known_keys(shape):
        hint = hint.replace(f"`{key}`", f"`{setting.spell((*parents, key, *rest))}`")
    return Problem(setting.mark, path, "names no setting", hint)


def _leaf(setting: Setting, shape: Shape, path: Path) -> Node:
    """Read the text by what the setting takes: a scalar as it is, a list as JSON or with commas."""
    text = setting.value.strip()
    if takes_list(shape) and not text.startswith(("[", "{")):
        items = [item.strip() for item in text.split(",")] if text else []
        return _node(items, setting.mark)
    if not (is_list(shape) or is_table(shape) or is_section(shape)):
        return Node(setting.value, setting.mark, setting.mark)
    try:
        return _node(_parsed(text) if text else None, setting.mark)
    except (ValueError, RecursionError):
        form = '["a", "b"] or a,b' if takes_list(shape) else '{"key": "value"}'
        raise _RefusedError(
            Problem(setting.mark, path, "is not valid JSON, or holds a key twice", f"write {form}")
        ) from None


def _parsed(text: str) -> Json:
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key stands twice")
    return values


def _node(value: Json, mark: Mark, depth: int = 0) -> Node:
    if depth > DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        return Node({key: _node(item, mark, depth + 1) for key, item in value.items()}, mark, mark)
    if isinstance(value, list):
        return Node([_node(item, mark, depth + 1) for item in value], mark, mark)
    if isinstance(value, bool):
        return Node("true" if value else "false", mark, mark)
    return Node(value, mark, mark)


def _as_variable(path: Sequence[str]) -> str:
    return PREFIX + "__".join(path).upper()


def _folded(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")


def first_set(names: Iterable[str], environ: Mapping[str, str]) -> str | None:
    """Give the first of these variables that holds something."""
    return next((name for name in names if environ.get(name)), None)
