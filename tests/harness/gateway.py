"""The real gateway, as a process of its own: started, watched and stopped."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.harness.client import Client, Response
from tests.harness.secrets import Secrets

ROOT = Path(__file__).parents[2]
KEY = "sk-test-app-0123456789abcdef"
LIMITED_KEY = "sk-test-limited-0123456789abcdef"
PATIENCE = 10.0
TAKEN_OVER = "has taken over from"

HELD = ("switchgear_in_flight", "switchgear_held")
"""Metrics of what calls under way hold."""

T = TypeVar("T")


class Gateway:
    """A context manager around `switchgear run`: a process that watches, and one that serves."""

    def __init__(
        self,
        config: Mapping[str, Any],
        directory: Path,
        secrets: Secrets,
        *,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.config = config
        self.directory = directory
        self.port = free_port()
        self.secrets = secrets
        self.has_all_its_books = True
        """Whether its log and its ledger are both whole at the end: not where a test breaks one of them."""
        self._env = env or {}
        for secret in secrets_of(config):
            secrets.plant(secret)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self.process.poll() is None:
            self.assert_at_rest()
        self.stop()
        if error is None and self.has_all_its_books:
            self.assert_rows_are_calls()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        return self.directory / "data" / "switchgear.db"

    def start(self) -> None:
        """Start the process and wait until it is ready."""
        config = self.write_config(self.config)
        with self._file("stdout").open("ab") as out, self._file("stderr").open("ab") as err:
            self.process = subprocess.Popen(
                [*self.command(config), "--host", "127.0.0.1", "--port", str(self.port)],
                cwd=self.directory,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        try:
            self.eventually(self._is_ready, "readiness", within=20.0)
            self._tasks_at_start = self._tasks()
        except BaseException:
            self.kill()
            raise

    def write_config(self, config: Mapping[str, Any] | str) -> Path:
        """Write the configuration file."""
        file = self.directory / "config.yaml"
        file.write_text(config if isinstance(config, str) else self._text_of(config))
        return file

    def _text_of(self, config: Mapping[str, Any]) -> str:
        # A test's gateway has nobody to give notice to, and its providers count what they are asked.
        server = {"drain_notice": "0s", **config.get("server", {})}
        lists = {"refresh": "0s", **config.get("model_lists", {})}
        return yaml.safe_dump({**config, "server": server, "model_lists": lists}, sort_keys=False)

    def stop(self) -> int:
        """Send SIGTERM, wait for the end, and look for secrets in all that the process has left behind."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the gateway did not stop on SIGTERM:\n{self.complaints}") from None
        self.assert_no_secrets()
        assert "Traceback (most recent call last)" not in self.output, self.complaints
        return status

    def kill(self) -> None:
        """End it like a power cut: neither process sees the other one's end, nor are the last lines written."""
        self.has_all_its_books = False
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGSTOP)
            for pid in self.serving_pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.kill()
        self.process.wait()

    def restart(self, within: float = 30.0) -> None:
        """Have a successor take over. The old process may have calls to end."""
        taken = self.output.count(TAKEN_OVER)
        self.process.send_signal(signal.SIGUSR2)
        self.eventually(lambda: self.output.count(TAKEN_OVER) > taken, "a successor that serves", within)

    def serving_pids(self) -> list[int]:
        """Give the processes that serve, the oldest first: one, but for a restart. `process` watches over them."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    @property
    def serving_pid(self) -> int:
        """The one process that serves."""
        (pid,) = self.serving_pids()
        return pid

    def assert_at_rest(self) -> None:
        """Wait until no call, reservation or task of one is left."""
        held = dict.fromkeys(HELD, 0.0)

        def is_at_rest() -> bool:
            held.update((name, value) for name, value in self.metrics().items() if name.startswith(HELD))
            return not any(held.values()) and self._tasks() <= self._tasks_at_start

        self.eventually(is_at_rest, f"rest; it held {held}")

    def take_as_rest(self) -> None:
        """Take the tasks that there are now as those of a gateway at rest: it has found what it lacked at its start."""
        self._tasks_at_start = self._tasks()

    def assert_rows_are_calls(self) -> None:
        """Compare the ledger with the log: a row for each call that was sent to a provider, and no other."""
        lines = Counter(line["id"] for line in self.log_lines())
        rows = {row["id"] for row in self.rows()}
        sent = {line["id"] for line in self.log_lines() if line["attempts"]}
        assert sent <= rows, f"calls without a row: {sent - rows}"
        assert rows <= lines.keys(), f"rows without a line: {rows - lines.keys()}"
        assert max(lines.values(), default=1) == 1, "a call was told of twice"

    def _tasks(self) -> float:
        return self.metrics().get("switchgear_tasks", 0.0)

    def assert_no_secrets(self) -> None:
        """Look at the output and at every file that the process has written beside its configuration."""
        for path in self.directory.rglob("*"):
            if path.is_file() and path.name != "config.yaml":
                self.secrets.assert_absent(path.read_bytes(), str(path.relative_to(self.directory)))

    @property
    def output(self) -> str:
        """All that the process has written so far, to stdout and stderr."""
        return "".join(self._file(name).read_text(errors="replace") for name in ("stdout", "stderr"))

    @property
    def complaints(self) -> str:
        """The end of what the process has written besides the lines of its calls."""
        lines = self.output.splitlines()
        return "\n".join(line for line in lines if '"event":"call"' not in line)[-6000:]

    # Calls

    def client(self, **options: Any) -> Client:
        """Open a connection."""
        return Client(self.port, **options)

    def send(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Response:
        """Make one request on a connection of its own. Answers are searched for secrets."""
        with self.client() as client:
            client.request(method, path, body, headers)
            return self._checked(client.read())

    def post(
        self, path: str, document: Any, *, key: str = KEY, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Make one JSON call on a connection of its own. Answers are searched for secrets."""
        with self.client() as client:
            client.post(path, document, key, headers)
            return self._checked(client.read())

    def chat(self, model: str, *, headers: Mapping[str, str] | None = None, **fields: Any) -> Response:
        """Make one chat call."""
        return self.post("/v1/chat/completions", chat_body(model, **fields), headers=headers)

    def _checked(self, response: Response) -> Response:
        if response.status >= 400:
            self.secrets.assert_absent(response.body, "the error's body")
            self.secrets.assert_absent(repr(response.headers).encode(), "the error's headers")
        return response

    # What it tells of itself

    def log_lines(self) -> list[dict[str, Any]]:
        """Give the call lines of the log so far."""
        return self.told("call")

    def told(self, event: str, **expected: Any) -> list[dict[str, Any]]:
        """Give the log's lines of an event so far that hold what is expected. A thread writes them: wait for them."""
        # The last one may be half written.
        *lines, _ = self._file("stdout").read_text().split("\n")
        parsed = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in parsed if {"event": event, **expected}.items() <= line.items()]

    def line_of(self, request_id: str) -> dict[str, Any]:
        """Wait for the one log line of a call."""
        (line,) = self.eventually(lambda: self.lines_of(request_id), f"log line of {request_id}")
        return line

    def lines_of(self, request_id: str) -> list[dict[str, Any]]:
        return [line for line in self.log_lines() if line["request_id"] == request_id]

    def rows(self, request_id: str | None = None) -> list[dict[str, Any]]:
        """Give the rows of the ledger so far: all, or those of one call."""
        if not self.database.exists():
            return []
        where, values = ("", ()) if request_id is None else (" WHERE request_id = ?", (request_id,))
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        try:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(f"SELECT * FROM calls{where}", values)]
        except sqlite3.OperationalError:
            return []
        finally:
            connection.close()

    def record(self, request_id: str, **expected: Any) -> dict[str, Any]:
        """Wait for the one log line and the one row of a call, compare both with what is expected, give the line."""
        lines = self.eventually(lambda: self.lines_of(request_id), f"log line of {request_id}")
        rows = self.eventually(lambda: self.rows(request_id), f"row of {request_id}")
        assert len(lines) == 1, lines
        assert len(rows) == 1, rows
        assert {name: lines[0][name] for name in expected} == expected, lines[0]
        in_row = {name: value for name, value in expected.items() if name in rows[0]}
        assert {name: rows[0][name] for name in in_row} == in_row, rows[0]
        return lines[0]

    def metrics(self) -> dict[str, float]:
        """Scrape the metrics: `name{label="value"}` with sorted labels → value."""
        token = self.config.get("metrics", {}).get("token")
        if isinstance(token, Mapping):
            token = Path(token["file"]).read_text().strip()
        answer = self.send("GET", "/metrics", headers={"authorization": f"Bearer {token}"} if token else {})
        assert answer.status == 200, answer
        self.secrets.assert_absent(answer.body, "/metrics")
        families = text_string_to_metric_families(answer.body.decode())
        return {_series(s.name, s.labels): s.value for family in families for s in family.samples}

    def in_flight(self) -> float:
        """Give the number of calls under way."""
        return sum(v for name, v in self.metrics().items() if name.startswith("switchgear_in_flight"))

    def resident_bytes(self) -> int:
        """Give the memory that the process holds now."""
        fields = Path(f"/proc/{self.serving_pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    def open_files(self) -> int:
        """Give the number of open file descriptors."""
        return len(list(Path(f"/proc/{self.serving_pid}/fd").iterdir()))

    def eventually(self, look: Callable[[], T], what: str, within: float = PATIENCE) -> T:
        """Look until there is something to see, and give it. Fails at once if the process has ended."""
        deadline = time.monotonic() + within
        while not (seen := look()):
            assert self.process.poll() is None, (
                f"the gateway ended while waiting for {what}:\n{self.complaints}"
            )
            assert time.monotonic() < deadline, f"no {what} within {within} s:\n{self.complaints}"
            time.sleep(0.02)
        return seen

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    @staticmethod
    def command(config: Path) -> list[str]:
        """Give the command that starts it with a configuration."""
        return [sys.executable, "-m", "app.cli", "run", "--config", str(config)]

    def environment(self) -> dict[str, str]:
        """Give the variables that it is started with."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        # Machines that run tests stall for longer than a gateway may; only tests of overload want to be refused.
        patient = {"SWITCHGEAR_SERVER__OVERLOAD__MAX_LAG": "1m"}
        return {**kept, **patient, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **self._env}

    def _file(self, name: str) -> Path:
        return self.directory / f"{name}.txt"


def chat_body(model: str, prompt: str = "What is the capital of France?", **fields: Any) -> dict[str, Any]:
    """Give the body of a chat call."""
    return {"model": model, "messages": [{"role": "user", "content": prompt}], **fields}


def free_port() -> int:
    """Give a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def secrets_of(config: Mapping[str, Any]) -> Iterator[str]:
    """Give the keys and credentials that stand in a configuration."""
    for key in config.get("auth", {}).get("keys", []):
        if isinstance(key["key"], str):
            yield key["key"]
    for provider in config.get("providers", {}).values():
        for credential in provider.get("keys", []):
            text = credential["key"] if isinstance(credential, dict) else credential
            if isinstance(text, str):
                yield text


def _series(name: str, labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return f"{name}{{{inside}}}" if inside else name
