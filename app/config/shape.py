"""What the models allow at a path: used to read variables, to name what is unknown, and to document."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from app.config.models import Config
from app.config.problems import Path
from app.config.section import Section
from providers.types import Secret

Shape = Any
"""A type as `typing` writes it: a `Section`, a list, a mapping, or the type of a scalar."""

ANY_KEY = "*"
"""Stands for the key of a mapping whose keys are the user's, and for an item of a list."""


def core(annotation: Shape) -> Shape:
    """Take off a type `Annotated`, `None`, and the list around what may be written without it."""
    origin = _origin(annotation)
    if origin is Annotated:
        return core(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        return core(next(part for part in get_args(annotation) if part is not type(None)))
    if origin is tuple:
        item = core(get_args(annotation)[0])
        return item if is_section(item) and item.alone else annotation
    return annotation


def _origin(shape: Shape) -> Any:
    return get_origin(shape)


def is_section(shape: Shape) -> bool:
    """Whether it is a mapping with known keys."""
    return isinstance(shape, type) and issubclass(shape, Section)


def is_list(shape: Shape) -> bool:
    """Whether it is a list."""
    return _origin(shape) is tuple


def takes_list(shape: Shape) -> bool:
    """Whether a list of texts may be written: for a list, or for a section that has a short form."""
    return is_list(shape) or (is_section(shape) and bool(shape.short))


def is_table(shape: Shape) -> bool:
    """Whether it is a mapping with the user's own keys."""
    return _origin(shape) is Mapping


def below(shape: Shape, part: str | int) -> Shape | None:
    """Give what is allowed one step down, or nothing if there is no such step."""
    if is_section(shape):
        if isinstance(part, int):
            # One of several that may also be written alone, or an item of the list in place of the mapping.
            return shape if shape.alone else below(below(shape, shape.short), part)
        field = shape.model_fields.get(part)
        return None if field is None else core(field.annotation)
    if is_table(shape):
        return core(get_args(shape)[1])
    if is_list(shape) and (isinstance(part, int) or part == ANY_KEY):
        return core(get_args(shape)[0])
    return None


def shape_at(path: Path) -> Shape | None:
    """Give what is allowed at a path of the configuration, or nothing if it leads nowhere."""
    shape: Shape | None = Config
    for part in path:
        shape = below(shape, part)
    return shape


def known_keys(shape: Shape) -> tuple[str, ...]:
    """Give the keys that may stand in a section; nothing for other shapes."""
    return tuple(shape.model_fields) if is_section(shape) else ()


def is_later(shape: Shape, key: str | int) -> bool:
    """Whether the design has the key here and this version has not."""
    return is_section(shape) and key in shape.later


def every_key(shape: Shape = Config, path: Path = ()) -> Iterator[tuple[Path, Shape]]:
    """Give every setting, with `*` where the user's own key or an item stands."""
    steps = known_keys(shape) or ((ANY_KEY,) if is_table(shape) or is_list(shape) else ())
    for part in steps:
        step = below(shape, part)
        yield (*path, part), step
        yield from every_key(step, (*path, part))


def secrets_in(value: object, path: Path = ()) -> Iterator[tuple[Path, Secret]]:
    """Give every secret that a configuration holds, with its path."""
    if isinstance(value, Secret):
        yield path, value
    elif isinstance(value, Section):
        for name in type(value).model_fields:
            yield from secrets_in(getattr(value, name), (*path, name))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from secrets_in(item, (*path, key))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from secrets_in(item, (*path, index))
