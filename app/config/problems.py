"""What is wrong with a configuration: every problem at once, each with its place and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NamedTuple

Path = tuple[str | int, ...]
"""The way to a value: keys of mappings and positions in lists."""


class Mark(NamedTuple):
    """Where a value was written. Lines and columns count from 1; 0 where the source has none."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


class Problem(NamedTuple):
    """One thing that stops the configuration from being used."""

    mark: Mark
    path: Path
    message: str
    hint: str = ""

    def __str__(self) -> str:
        parts = (str(self.mark), dotted(self.path), self.message)
        text = ": ".join(part for part in parts if part)
        return f"{text}; {self.hint}" if self.hint else text


class ConfigError(Exception):
    """A configuration that cannot be used. Its text is one line a problem, in the order of the files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems), key=lambda problem: (problem.mark, str(problem))))
        super().__init__("\n".join(map(str, self.problems)))


def dotted(path: Path) -> str:
    """Write a path as `auth.keys[0].name`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Give the hint that names the nearest known names, or nothing."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=2, cutoff=0.62)
    return f"did you mean {' or '.join(f'`{by_lower[match]}`' for match in near)}?" if near else ""
