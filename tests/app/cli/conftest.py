"""The command line, in this process or as a process of its own, in an empty folder and a bare environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from app.cli.program import program
from app.telemetry.record import CallRecord
from tests.harness.gateway import ROOT
from tests.harness.secrets import VENDOR_VARIABLES, Secrets


class Said(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and no variable that means anything to the program."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name in VENDOR_VARIABLES or name.startswith("SWITCHGEAR_"):
            monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def sg(folder: Path, secrets: Secrets) -> Command:
    """Run a command in this process. Whatever it prints is searched for secrets."""

    def run(*arguments: str, env: Mapping[str, str] | None = None) -> Said:
        result = CliRunner().invoke(program, arguments, env=env or {}, prog_name="switchgear")
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        secrets.assert_absent(result.output.encode(), f"the output of {arguments}")
        return Said(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def process(folder: Path, secrets: Secrets) -> Command:
    """Run a command as users do. Whatever it prints is searched for secrets and tracebacks."""

    def run(*arguments: str, env: Mapping[str, str] | None = None) -> Said:
        result = subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **(env or {})},
            capture_output=True,
            timeout=30,
            check=False,
        )
        secrets.assert_absent(result.stdout + result.stderr, f"the output of {arguments}")
        assert b"Traceback" not in result.stderr, result.stderr.decode()
        return Said(result.returncode, result.stdout.decode(), result.stderr.decode())

    return run


@pytest.fixture
def write(folder: Path) -> Callable[..., Path]:
    """Write a configuration file that only its owner can read."""

    def put(text: str, name: str = "config.yaml") -> Path:
        file = folder / name
        file.write_text(text)
        file.chmod(0o600)
        return Path(name)

    return put


@pytest.fixture
def record() -> Callable[..., CallRecord]:
    """Make the record of a call; each number is another one, a day later."""
    return make_record


def make_record(number: int, **fields) -> CallRecord:
    given = {
        "id": f"call-{number}",
        "timestamp": f"2026-11-0{number}T12:00:00Z",
        "request_id": f"req-{number}",
        "key": "app",
        "method": "POST",
        "path": "/v1/chat/completions",
        "operation": "chat",
        "status": 200,
        "model": "fast",
        "provider": "openai",
        "upstream_model": "gpt-4o-mini",
        "attempts": 1,
        "fallback": False,
        "stream": False,
        "input_tokens": 10,
        "output_tokens": 5,
        "cached_tokens": 0,
        "cache_write_tokens": 0,
        "reasoning_tokens": 0,
        "usage_source": "provider",
        "cost": "0.25",
        "ttft_ms": None,
        "duration_ms": 12.5,
        "upstream_ms": 10.0,
        "overhead_ms": 2.5,
        "outcome": "success",
        "error_type": None,
    }
    return CallRecord(**{**given, **fields})
