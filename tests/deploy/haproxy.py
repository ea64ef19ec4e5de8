"""HAProxy's configuration, read as far as it is written here: sections of lines, each a list of words."""

from __future__ import annotations

import shlex
from pathlib import Path

from tests.deploy.tree import ROOT

KINDS = {"global", "defaults", "resolvers", "frontend", "backend"}
Line = list[str]


def read_sections(file: Path = ROOT / "deploy" / "haproxy.cfg") -> dict[str, list[Line]]:
    """Give the lines of each section by its kind: there is one of each."""
    sections: dict[str, list[Line]] = {}
    here: list[Line] = []
    for text in file.read_text().splitlines():
        words = shlex.split(text, comments=True)
        if not words:
            continue
        if not text[0].isspace():
            assert words[0] in KINDS, f"no section of HAProxy's: {text}"
            assert words[0] not in sections, text
            here = sections[words[0]] = []
        else:
            here.append(words)
    return sections


def seconds(text: str) -> float:
    """Read a duration such as `2s` or `630s`."""
    assert text.endswith("s"), text
    assert not text.endswith("ms"), text
    return float(text[:-1])
