"""The blocks of the README that a newcomer pastes, pasted."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.gateway import KEY, ROOT
from tests.harness.rig import Rig


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def paste(command: list[str], block: str, rig: Rig, tmp_path: Path) -> str:
    """Run a block against a gateway that happens to listen on another port."""
    text = block.replace("http://127.0.0.1:4000", rig.gateway.base_url).replace('"echo"', '"echo/echo"')
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SWITCHGEAR_KEY": KEY}
    done = subprocess.run(
        [*command, text], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("block", blocks("sh"))
def test_the_curl_works(block: str, rig: Rig, tmp_path: Path) -> None:
    answer = json.loads(paste(["sh", "-ec"], block, rig, tmp_path))
    assert answer["choices"][0]["message"]["content"] == "Hello"


@pytest.mark.parametrize("block", blocks("python"))
def test_the_python_works(block: str, rig: Rig, tmp_path: Path) -> None:
    assert paste([sys.executable, "-c"], block, rig, tmp_path) == "Hello"


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    commands = re.findall(r"^\$ make ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert commands[:2] == ["run", "test"]
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in commands)


def test_there_is_something_to_paste() -> None:
    assert blocks("sh")
    assert blocks("python")
