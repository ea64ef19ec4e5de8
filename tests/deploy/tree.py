"""The files of the project, as git would take them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def tracked() -> list[Path]:
    """Give every file that is or would be committed. Skips the test where there is no git to ask."""
    if not (shutil.which("git") and (ROOT / ".git").exists()):
        pytest.skip("no git repository: which files are the project's cannot be told")
    # The container of a CI may run as another user than the one who owns the files.
    command = [
        "git",
        "-c",
        f"safe.directory={ROOT}",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def python_files() -> list[Path]:
    """Give the files of the two packages."""
    return sorted(path for package in ("app", "providers") for path in (ROOT / package).rglob("*.py"))


def make_targets() -> set[str]:
    """Give the targets that the Makefile describes."""
    lines = (ROOT / "Makefile").read_text().splitlines()
    return {line.partition(":")[0] for line in lines if ": " in line and "##" in line and line[0].isalpha()}
