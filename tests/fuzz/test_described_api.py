"""The admin API of a real gateway against its own description, by schemathesis: `make fuzz`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.harness.gateway import Gateway
from tests.harness.secrets import Secrets

PROGRAM = os.environ.get("SCHEMATHESIS", "")
"""It has an environment of its own: its plugin would make every collection of tests slower."""
ADMIN = "sk-admin-of-the-fuzzing-0123456789"
LOOSE = ("negative_data_rejection", "positive_data_acceptance")
"""Checks that take the description for the whole truth: null stands for empty here, and names must exist."""
CONFIG = {
    "providers": {"echo": {}},
    "admin": {"rate_limit": "1000000/minute"},
    "auth": {"keys": [{"name": "root", "key": ADMIN, "roles": ["admin"]}]},
    "teams": {"red": {}},
    "users": {"ann": {"team": "red"}},
    "plans": {"small": {"limits": {"rpm": 60}, "budget": {"amount": "10.00", "per": "day"}}},
}


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.skipif(not PROGRAM, reason="`make fuzz` installs schemathesis and runs this")
def test_case_52_the_admin_api_is_as_it_is_described(tmp_path: Path, secrets: Secrets) -> None:
    here, there = tmp_path / "schemathesis", tmp_path / "gateway"
    here.mkdir()
    there.mkdir()
    with Gateway(CONFIG, there, secrets) as gateway:
        done = subprocess.run(
            [
                *(PROGRAM, "run", f"{gateway.base_url}/openapi.json"),
                *("--header", f"Authorization: Bearer {ADMIN}"),
                *("--include-path-regex", "^/admin"),
                *("--checks", "all", "--exclude-checks", ",".join(LOOSE)),
                *("--max-examples", "25", "--seed", "52", "--no-color"),
            ],
            cwd=here,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        print(done.stdout)
        assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
        assert "request_failed" not in gateway.output
