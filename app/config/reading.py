"""YAML text → tree. Every scalar stays the text that was written; every node keeps its place."""

from __future__ import annotations

from collections.abc import Mapping

import yaml
from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from app.config.composing import QUOTE_IT, UnreadableError, compose, mark_of
from app.config.interpolation import InterpolationError, interpolate
from app.config.problems import Mark, Path, Problem
from app.config.tree import Node

MOST_NODES = 100_000
"""Nodes after aliases are followed: a few lines of aliases can stand for billions."""
DEEPEST = 64
"""Levels of nesting; the deepest setting has six."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")
)  # what `BaseLoader` gives where the text has no tag of its own


class Reader:
    """Reads one text. What is wrong is collected in `problems`, and `broken` names what has no value for it."""

    def __init__(self, source: str, environ: Mapping[str, str]) -> None:
        self._source = source
        self._environ = environ
        self._nodes = 0
        self._open: set[int] = set()
        self.problems: list[Problem] = []
        self.broken: list[Path] = []

    def read(self, data: bytes) -> Node | None:
        """Give the tree of one document, an empty one if it is; nothing where it cannot be read."""
        try:
            return self._tree(compose(data, self._source))
        except UnreadableError as error:
            self._problem(error.mark, (), error.message, error.hint)
            return None

    def _tree(self, root: yaml.Node | None) -> Node:
        start = Mark(self._source, 1, 1)
        if root is None or (isinstance(root, ScalarNode) and _is_null(root)):
            return Node({}, start)
        if not isinstance(root, MappingNode):
            mark = self._mark(root)
            raise UnreadableError(mark, "the file must hold a mapping", "write `key: value` lines")
        return self._mapping(root, ())

    def _node(self, node: yaml.Node, path: Path, key_mark: Mark | None) -> Node:
        self._nodes += 1
        mark = self._mark(node)
        if self._nodes > MOST_NODES:
            raise UnreadableError(mark, f"the aliases stand for more than {MOST_NODES} values")
        if len(path) > DEEPEST:
            raise UnreadableError(mark, f"the file is nested deeper than {DEEPEST} levels")
        if node.tag not in _PLAIN_TAGS:
            self._problem(mark, path, f"the tag `{node.tag}` has no meaning here", "remove it")
        if isinstance(node, ScalarNode):
            return self._scalar(node, path, mark, key_mark)
        if id(node) in self._open:
            raise UnreadableError(mark, "an alias stands inside the value that it names")
        self._open.add(id(node))
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, path, key_mark)
            assert isinstance(node, SequenceNode)
            items = [self._node(item, (*path, index), None) for index, item in enumerate(node.value)]
            return Node(items, mark, key_mark)
        finally:
            self._open.discard(id(node))

    def _scalar(self, node: ScalarNode, path: Path, mark: Mark, key_mark: Mark | None) -> Node:
        text: str = node.value
        if _is_null(node):
            return Node(None, mark, key_mark)
        if "${" not in text:
            return Node(text, mark, key_mark, literal=True)
        if node.style not in {"'", '"'}:
            self._problem(mark, path, "`${` outside of quotes", QUOTE_IT)
        else:
            try:
                return Node(interpolate(text, self._environ), mark, key_mark)
            except InterpolationError as error:
                self._problem(mark, path, error.message, error.hint)
        self.broken.append(path)
        return Node(None, mark, key_mark)

    def _mapping(self, node: MappingNode, path: Path, key_mark: Mark | None = None) -> Node:
        values: dict[str, Node] = {}
        merged: list[yaml.Node] = []
        for key_node, value_node in node.value:
            mark = self._mark(key_node)
            if not isinstance(key_node, ScalarNode):
                self._problem(mark, path, "a key must be a text")
                continue
            key: str = key_node.value
            if key == "<<" and key_node.style is None:
                merged.append(value_node)
                continue
            if not path and key.startswith("x-"):
                continue
            if self._key_is_good(key, mark, path, values):
                values[key] = self._node(value_node, (*path, key), mark)
        for source in merged:
            self._merge(source, path, values)
        return Node(values, self._mark(node), key_mark)

    def _key_is_good(self, key: str, mark: Mark, path: Path, values: Mapping[str, Node]) -> bool:
        if not key:
            self._problem(mark, path, "an empty key")
        elif "${" in key:
            self._problem(mark, path, "`${` in a key", "only values are interpolated")
        elif key in values:
            first = values[key].key_mark
            where = f"the first one is in line {first.line}" if first else ""
            self._problem(mark, (*path, key), "this key stands here twice", where)
        else:
            return True
        return False

    def _merge(self, source: yaml.Node, path: Path, values: dict[str, Node]) -> None:
        """Add what `<<` brings and the mapping does not have itself; of several, the first wins."""
        mappings = source.value if isinstance(source, SequenceNode) else [source]
        for mapping in mappings:
            if not isinstance(mapping, MappingNode):
                self._problem(self._mark(mapping), path, "`<<` takes a mapping or a list of mappings")
                continue
            brought = self._node(mapping, path, None).value
            assert isinstance(brought, dict)
            for key, node in brought.items():
                values.setdefault(key, node)

    def _problem(self, mark: Mark, path: Path, message: str, hint: str = "") -> None:
        self.problems.append(Problem(mark, path, message, hint))

    def _mark(self, node: yaml.Node) -> Mark:
        return mark_of(node.start_mark, self._source)


def _is_null(node: ScalarNode) -> bool:
    return node.style is None and node.value in _NULLS
