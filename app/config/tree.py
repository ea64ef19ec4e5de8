"""The configuration as text with places: a tree whose nodes know where they were written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.config.problems import Mark, Path

Plain = str | list["Plain"] | dict[str, "Plain"] | None


@dataclass(frozen=True, slots=True)
class Node:
    """A text, a list, a mapping or nothing, and where it stands."""

    value: str | Sequence[Node] | Mapping[str, Node] | None
    mark: Mark
    key_mark: Mark | None = None
    """Where the key of this value stands, if it has one."""
    literal: bool = False
    """A text that stands in a file as it is, not interpolated from the environment."""


def plain(node: Node) -> Plain:
    """Give the values alone."""
    value = node.value
    if isinstance(value, Mapping):
        return {key: plain(child) for key, child in value.items()}
    if value is None or isinstance(value, str):
        return value
    return [plain(child) for child in value]


def child(node: Node, part: str | int) -> Node | None:
    """Give the node one step down, if there is one."""
    value = node.value
    if isinstance(value, Mapping):
        return value.get(str(part))
    if isinstance(value, str) or value is None or not isinstance(part, int):
        return None
    return value[part] if part < len(value) else None


def nearest(node: Node, path: Path) -> Node:
    """Give the node at the path, or the last one on the way to it."""
    for part in path:
        below = child(node, part)
        if below is None:
            return node
        node = below
    return node


def place(node: Node, path: Path) -> Mark:
    """Give where to point for a path: at a scalar itself, at the key of a list or mapping."""
    found = nearest(node, path)
    scalar = found.value is None or isinstance(found.value, str)
    return found.mark if scalar else found.key_mark or found.mark


def keys_of(node: Node | None) -> tuple[str, ...]:
    """Give the keys of a mapping; nothing for any other node."""
    return tuple(node.value) if node is not None and isinstance(node.value, Mapping) else ()


def merge(below: Node, above: Node) -> Node:
    """Lay one tree over another: mappings merge, lists and scalars replace."""
    if not (isinstance(below.value, Mapping) and isinstance(above.value, Mapping)):
        return above
    merged = dict(below.value)
    for key, node in above.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return Node(merged, above.mark, above.key_mark)


def without(node: Node, path: Path) -> Node:
    """Take the value at the path out. Inside a list, the whole list goes: positions must stay true."""
    part, *rest = path
    below = child(node, part)
    if below is None or not isinstance(node.value, Mapping):
        return node
    others = {key: value for key, value in node.value.items() if key != part}
    if rest and isinstance(rest[0], str):
        # Kept in place: the order of providers means something.
        return Node({**node.value, str(part): without(below, tuple(rest))}, node.mark, node.key_mark)
    return Node(others, node.mark, node.key_mark)


def single(path: Sequence[str], leaf: Node) -> Node:
    """Give the tree that holds one value at the path."""
    node = leaf
    for part in reversed(path):
        node = Node({part: node}, leaf.mark, leaf.mark)
    return node
