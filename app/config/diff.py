"""What changes from one configuration to another, by dotted path, without showing a secret. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from app.config.models import Config
from app.config.section import Section
from app.config.storage import Storage
from providers.types import Secret

_NOTHING = object()


class Change(NamedTuple):
    """One setting that differs. Values as texts; nothing on the side where the setting is not."""

    kind: Literal["added", "removed", "changed"]
    path: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.kind == "added":
            return f"+ {self.path}: {self.after}"
        if self.kind == "removed":
            return f"- {self.path}: {self.before}"
        return f"~ {self.path}: {self.before} → {self.after}"


def diff(before: Config, after: Config) -> tuple[Change, ...]:
    """Give the changes in the order of the paths; keys of ours are told apart by their names."""
    old, new = dict(_settings(before, "")), dict(_settings(after, ""))
    paths = sorted(path for path in {*old, *new} if not _became_branch(path, old, new))
    changes = (_change(path, old.get(path, _NOTHING), new.get(path, _NOTHING)) for path in paths)
    return tuple(change for change in changes if change is not None)


def _became_branch(path: str, *sides: Mapping[str, object]) -> bool:
    """Whether an empty mapping got its first entry, or one lost its last: the entry says it all."""
    was_empty = not any(side.get(path) for side in sides)
    return was_empty and any(other.startswith(path + ".") for side in sides for other in side)


def _change(path: str, old: object, new: object) -> Change | None:
    if (old is _NOTHING and new is None) or (old is None and new is _NOTHING):
        # A setting that may be left out, beside others that came or went.
        return None
    if old is _NOTHING:
        return Change("added", path, None, _text(new))
    if new is _NOTHING:
        return Change("removed", path, _text(old), None)
    return None if old == new else Change("changed", path, _text(old), _text(new))


def _settings(value: object, path: str) -> Iterator[tuple[str, object]]:
    for name, item in _parts(value):
        yield from _settings(item, ".".join(part for part in (path, name) if part))
    if not _is_branch(value):
        yield path, value


def _is_branch(value: object) -> bool:
    # An empty mapping is a leaf, so that a provider without settings is still seen to come and go.
    return bool(list(_parts(value)))


def _parts(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Section):
        yield from _parts_of_section(value)
    elif isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            if isinstance(item, Section) and not item.inline:
                yield getattr(item, "name", str(index)), item


def _parts_of_section(section: Section) -> Iterator[tuple[str, object]]:
    # As JSON, a duration is `60s` and a date is RFC 3339; secrets stay what they are, to be compared.
    shown = section.model_dump(mode="json")
    for name, field in type(section).model_fields.items():
        item = getattr(section, name)
        if name == section.short:
            yield "", item
        elif not (section.short and item == field.default):
            # Beside what the short form says stands only what is set, as in the file.
            yield (
                name,
                item if isinstance(item, Section | Secret | Storage | Mapping | tuple) else shown[name],
            )


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_text, value))}]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
