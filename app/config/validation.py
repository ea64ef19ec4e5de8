"""Tree → models, with every complaint in our words and at its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.config.models import Config
from app.config.problems import Path, Problem, did_you_mean
from app.config.scalars import ReadsSecretFiles
from app.config.shape import is_later, known_keys, shape_at
from app.config.tree import Node, child, nearest, place, plain, without

_ROUNDS = 4
"""How often what is wrong is taken out to look at the rest. Two are enough for all but nested faults."""

Said = tuple[str, str]
"""A message and its hint."""


def _refused(context: Mapping[str, str], _given: object) -> Said:
    return context["said"], context["hint"]


def _choice(context: Mapping[str, str], given: object) -> Said:
    known = [part.strip("'") for part in context["expected"].replace(" or ", ", ").split(", ")]
    said = (
        f"`{given}` is none of {', '.join(known)}"
        if isinstance(given, str)
        else f"must be {context['expected']}"
    )
    return said, did_you_mean(str(given), known)


def _fixed(message: str, hint: str = "") -> Callable[[Mapping[str, str], object], Said]:
    return lambda context, _given: (message.format_map(context), hint)


_MAPPING = _fixed("must be a mapping", "write `key: value` lines below it")
_LIST = _fixed("must be a list", "write `[…]`, or lines that begin with `- `")

# By pydantic's error type (https://docs.pydantic.dev/latest/errors/validation_errors/).
_SAID: Mapping[str, Callable[[Mapping[str, str], object], Said]] = {
    "refused": _refused,
    "literal_error": _choice,
    "missing": _fixed("is missing", "this setting has no default"),
    "string_type": _fixed("must be a text"),
    "string_unicode": _fixed("must be a text of whole characters"),
    "string_too_short": _fixed("must not be empty"),
    "int_type": _fixed("must be a whole number"),
    "bool_type": _fixed("must be true or false"),
    "tuple_type": _LIST,
    "list_type": _LIST,
    "dict_type": _MAPPING,
    "mapping_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "greater_than_equal": _fixed("must be at least {ge}"),
    "greater_than": _fixed("must be more than {gt}"),
    "less_than_equal": _fixed("must be at most {le}"),
}


class Validation:
    """What came of validating a tree: a configuration of what was right, and what was not."""

    def __init__(self, tree: Node, broken: Sequence[Path], read_secret: ReadsSecretFiles) -> None:
        self.problems: list[Problem] = []
        self.silenced: list[Path] = list(broken)
        """Paths that are already complained about: what follows from them is not another problem."""
        self.config: Config | None = None
        self._tree = tree
        rest = tree
        for _ in range(_ROUNDS):
            try:
                self.config = Config.model_validate(plain(rest), context={"read_secret": read_secret})
            except ValidationError as error:
                for details in error.errors(include_url=False, include_input=True):
                    rest = self._take_out(details, rest)
            else:
                break

    def is_silenced(self, path: Path) -> bool:
        """Whether a complaint about this path would follow from another one."""
        return any(path[: len(other)] == other or other[: len(path)] == path for other in self.silenced)

    def _take_out(self, details: ErrorDetails, rest: Node) -> Node:
        path: Path = tuple(part for part in details["loc"] if part != "[key]")
        if not self.is_silenced(path):
            self.problems.append(self._problem(details, path))
        self.silenced.append(path)
        # What is missing cannot be taken out: what misses it is.
        return without(rest, path[:-1] if details["type"] == "missing" or not _has(rest, path) else path)

    def _problem(self, details: ErrorDetails, path: Path) -> Problem:
        if details["type"] == "extra_forbidden":
            node = nearest(self._tree, path)
            message, hint = unknown_key(path)
            return Problem(node.key_mark or node.mark, path, message, hint)
        say = _SAID.get(details["type"], _fixed(details["msg"]))
        message, hint = say(details.get("ctx", {}), details["input"])
        return Problem(place(self._tree, path), path, message, hint)


def unknown_key(path: Path) -> Said:
    """Say of a key that is not in the models whether it is a later one or a misspelt one."""
    *parents, key = path
    shape = shape_at(tuple(parents))
    if is_later(shape, key):
        return f"`{key}` is not available yet", "remove it"
    known = known_keys(shape)
    return "unknown key", did_you_mean(str(key), known) or f"known here: {', '.join(known)}"


def _has(node: Node, path: Path) -> bool:
    found: Node | None = node
    for part in path:
        found = child(found, part) if found is not None else None
    return found is not None
