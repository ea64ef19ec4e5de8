"""Proofs measure what the README promises, on this machine, and print it as one table at the end."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator

import pytest

Note = Callable[[str, str, str, str], None]
"""Takes the figure, what it is of, what is aimed at, and what was measured."""


@pytest.fixture(scope="session")
def figures() -> Iterator[list[tuple[str, str, str, str]]]:
    """The rows of the table. It is printed when all proofs have run, whether or not they held."""
    rows: list[tuple[str, str, str, str]] = []
    yield rows
    print(
        f"\n\nMeasured on {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}.\n"
    )
    print("| figure | what | aim | measured |\n|---|---|---|---|")
    for row in sorted(rows, key=lambda row: (int(row[0].lstrip("F")), row[1])):
        print(f"| {' | '.join(row)} |")


@pytest.fixture
def note(figures: list[tuple[str, str, str, str]]) -> Note:
    """Adds a row to the table."""
    return lambda *row: figures.append(row)
