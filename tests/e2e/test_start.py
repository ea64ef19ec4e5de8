"""Starting: it asks nobody for anything, and it is quick."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.harness.gateway import ROOT, Gateway
from tests.harness.rig import config_for
from tests.harness.secrets import Secrets

MOST_CPU = 2.0
"""Seconds of user and system time up to readiness."""
ON_DEMAND = {
    "alembic", "anthropic", "asyncpg", "boto3", "botocore", "cryptography", "google", "jwt", "limits", "numpy", "openai",
    "redis", "slowapi", "typer",
}  # fmt: skip
"""Libraries that are loaded when something needs them."""
IMPORTS = """
import time
import app.cli.run, app.main, sys

print(time.process_time(), *{name.partition(".")[0] for name in sys.modules})
"""
GUARD = """
import sys

ASKING = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname", "socket.bind")

def refuse(event, arguments):
    if event in ASKING:
        raise RuntimeError(f"{event} while importing")

sys.addaudithook(refuse)
"""
IMPORT_ALL = """
import importlib, pkgutil
import app.main, providers

ON_DEMAND = {"app.cli.__main__", "app.store.migrations.env"}  # these act when they are imported

names = [m.name for package in (app, providers) for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for name in sorted(set(names) - ON_DEMAND):
    importlib.import_module(name)
print(len(names))
"""


def python(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", *options, "-c", code]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("asking", ["s.connect(('127.0.0.1', 9))", "socket.getaddrinfo('localhost', 9)"])
def test_the_guard_guards(asking: str) -> None:
    done = python(f"{GUARD}\nimport socket\ns = socket.socket(type=socket.SOCK_DGRAM)\n{asking}")
    assert "while importing" in done.stderr


@pytest.mark.slow
def test_importing_every_module_asks_nobody() -> None:
    done = python(GUARD + IMPORT_ALL)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 100


def test_importing_loads_nothing_that_may_not_be_needed_and_takes_little_time() -> None:
    """The better of two, as below."""
    for _ in range(2):
        done = python(IMPORTS, "-X", "importtime")
        used, *loaded = done.stdout.split()
        assert not ON_DEMAND & set(loaded)
        if float(used) <= MOST_CPU:
            return
    dearest = sorted(done.stderr.splitlines()[1:], key=lambda line: -int(line.split()[2]))[:15]
    raise AssertionError(
        f"importing takes {used} s of CPU time; by itself most of all:\n" + "\n".join(dearest)
    )


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="CPU time is read from /proc")
def test_it_is_ready_within_two_seconds_of_work(tmp_path: Path, secrets: Secrets) -> None:
    """The better of two starts: the first may have to compile, and neighbours disturb."""
    used = []
    while not used or (used[-1] > MOST_CPU and len(used) < 2):
        begun = time.monotonic()
        with Gateway(config_for({"echo": {}}, {}), tmp_path, secrets) as gateway:
            wall = time.monotonic() - begun
            used.append(cpu_seconds(gateway.process.pid) + cpu_seconds(gateway.serving_pid))
            mapped = Path(f"/proc/{gateway.serving_pid}/maps").read_text()
            assert not {name for name in ON_DEMAND if f"/{name}/" in mapped}
        print(f"ready after {wall:.2f} s, with {used[-1]:.2f} s of CPU time")
    assert min(used) <= MOST_CPU


def cpu_seconds(pid: int) -> float:
    """Give the user and system time of a process: fields 14 and 15 of proc(5)'s stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
