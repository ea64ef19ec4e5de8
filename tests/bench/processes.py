"""What is measured and what measures, as processes on cores of their own."""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORES = sorted(os.sched_getaffinity(0))
MEASURED_CORE, OTHERS_CORE = CORES[0], CORES[-1]
"""Who is measured has one core; the upstream and the generator share the other."""
PATIENCE = 60.0
"""Seconds that anything may take to be ready."""


@dataclass(frozen=True)
class Server:
    """A process that listens, with those that it has begun."""

    process: subprocess.Popen[str]
    port: int

    @property
    def pids(self) -> list[int]:
        found, left = [], [self.process.pid]
        while left:
            pid = left.pop()
            found.append(pid)
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    left += [int(child) for child in children.read_text().split()]
        return found

    def cpu(self) -> float:
        """Give the seconds that all its threads have had of a processor, from schedstat: stat's are ticks that hit."""
        return sum(_cpu_of(pid) for pid in self.pids)

    def resident(self) -> float:
        """Give the MiB that its largest process holds."""
        return max(_resident_of(pid) for pid in self.pids)


def _cpu_of(pid: int) -> float:
    nanoseconds = 0
    for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            nanoseconds += int(thread.read_text().split()[0])
    return nanoseconds / 1e9


def _resident_of(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def bound_to(cores: set[int], command: Sequence[str | Path]) -> list[str]:
    """Give a command that binds itself to cores, and what it begins too, before it becomes the one that is given."""
    binding = f"import os, sys; os.sched_setaffinity(0, {cores}); os.execvp(sys.argv[1], sys.argv[1:])"
    return [sys.executable, "-Sc", binding, *map(str, command)]


@contextlib.contextmanager
def running(
    command: Sequence[str | Path],
    port: int,
    folder: Path,
    *,
    cores: set[int],
    env: Mapping[str, str] | None = None,
    ready: str = "/",
) -> Iterator[Server]:
    """Start a server, wait until its port answers `ready` with less than 500, and stop it at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    with (folder / "stderr.txt").open("ab") as errors:
        process = subprocess.Popen(
            bound_to(cores, command),
            cwd=folder,
            env={**kept, "PYTHONPATH": str(ROOT), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            text=True,
        )
    try:
        _await(process, port, ready, folder)
        yield Server(process, port)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(process: subprocess.Popen[str], port: int, path: str, folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not _answers(port, path):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args} is not ready:\n{(folder / 'stderr.txt').read_text()[-3000:]}")
        time.sleep(0.02)


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextlib.contextmanager
def upstream() -> Iterator[Server]:
    """Start the scripted upstream beside the generator."""
    command = bound_to({OTHERS_CORE}, [sys.executable, "-m", "tests.bench.upstream"])
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Server(process, int(process.stdout.readline()))
        finally:
            process.terminate()
