"""The supervisor stays small: what it imports is its size."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.harness.gateway import ROOT

HEAVY = {
    "asyncio", "dataclasses", "fastapi", "httpx2", "pydantic", "ssl", "structlog", "subprocess",
    "typer", "uvicorn", "uvloop", "yaml",
}  # fmt: skip
OURS = {"app", "app.cli", "app.supervisor"}


def test_it_imports_nothing_of_the_gateway_and_no_library():
    code = "import app.cli, app.supervisor.parent, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    imported = set(done.stdout.split())
    assert not imported & HEAVY
    ours = {name for name in imported if name.partition(".")[0] in {"app", "providers"}}
    assert {name for name in ours if not name.startswith("app.supervisor.")} == OURS
