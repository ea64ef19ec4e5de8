"""The first start and the later ones: what is printed works when pasted, and no key is seen by others."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import select
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.auth.making import make_key
from app.cli.database import database_of
from app.config.identities import KeySettings
from app.config.storage import Storage
from app.store.keys import KeyStore
from tests.harness.gateway import ROOT, free_port

STORAGE = Storage.of("sqlite:///data/switchgear.db")
KEY_FILE = Path("data/switchgear.key")
KEY = re.compile(r"sk-[\w-]{30,}")
PROGRAM = (sys.executable, "-m", "app.cli")
PATIENCE = 20.0
ANYWHERE = ("--host", "0.0.0.0")
pytestmark = pytest.mark.usefixtures("folder")


def environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(Path.cwd()),
        "SWITCHGEAR_SERVER__DRAIN_NOTICE": "0s",
        **(env or {}),
    }


def command(*arguments: str, program: tuple[str, ...] = PROGRAM) -> list[str]:
    return [*program, "run", "--port", "0", *arguments]


@contextmanager
def started(said: Callable[[], str], process: subprocess.Popen[bytes]) -> Iterator[str]:
    """Wait for the greeting, give it, stop the process in the end."""
    try:
        deadline = time.monotonic() + PATIENCE
        while not re.search(r"A new key: .*\n", text := said()):
            assert process.poll() is None, text
            assert time.monotonic() < deadline, text
            time.sleep(0.02)
        yield text
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


@contextmanager
def running(*arguments: str, program: tuple[str, ...] = PROGRAM, **env: str) -> Iterator[str]:
    """Start with the output in a file, as under a service manager."""
    log = Path("output.txt")
    with log.open("wb") as out:
        process = subprocess.Popen(
            command(*arguments, program=program), stdout=out, stderr=out, env=environment(env)
        )
    with started(log.read_text, process) as text:
        yield text
    assert "Traceback" not in log.read_text()


@contextmanager
def on_a_terminal() -> Iterator[str]:
    """Start with the output on a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command(), stdin=theirs, stdout=theirs, stderr=theirs, env=environment())
    os.close(theirs)
    seen = bytearray()

    def said() -> str:
        if select.select([ours], [], [], 0)[0]:
            seen.extend(os.read(ours, 65_536))
        return seen.decode().replace("\r\n", "\n")

    try:
        with started(said, process) as text:
            yield text
    finally:
        os.close(ours)


def paste(line: str, **env: str) -> str:
    done = subprocess.run(
        ["bash", "-c", line], env=environment(env), capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def paste_curl(text: str, **env: str) -> None:
    """Paste the printed curl, and see that it is answered."""
    (curl,) = re.findall(r"^  curl .*?}'$", text, re.DOTALL | re.MULTILINE)
    assert json.loads(paste(curl, **env))["choices"][0]["message"]["content"] == "Hello"


def key_command(text: str) -> str:
    (line,) = re.findall(r"A new key: (.*)$", text, re.MULTILINE)
    return line


def in_store(work: Callable[[KeyStore], Awaitable[object]]) -> None:
    async def run() -> None:
        async with database_of(STORAGE) as database:
            await work(KeyStore(database))

    asyncio.run(run())


def add_key(name: str, expires: float | None = None) -> str:
    ends = None if expires is None else datetime.fromtimestamp(expires, UTC)
    key, new = make_key(name, KeySettings(expires=ends))
    in_store(lambda store: store.create_key(new, time.time()))
    return key


def revoke(name: str) -> None:
    in_store(lambda store: store.revoke_key(name, time.time()))


def assert_refused(*arguments: str) -> None:
    """See that it ends with 1, says what to do, and has never listened."""
    port = free_port()
    process = subprocess.Popen(
        [*PROGRAM, "run", *ANYWHERE, "--port", str(port), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    while process.poll() is None:
        with closing(socket.socket()) as probe:
            assert probe.connect_ex(("127.0.0.1", port)), "it listens"
        time.sleep(0.005)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, b"curl" in out) == (1, False)
    assert b"SWITCHGEAR_MASTER_KEY" in err
    assert b"Traceback" not in err
    assert not KEY_FILE.exists()


@pytest.mark.slow
def test_without_a_terminal_the_key_is_in_a_file_of_the_owners_alone() -> None:
    with running() as text:
        assert key_command(text) == shlex.join([*PROGRAM, "keys", "create", "NAME"])
        assert stat.S_IMODE(KEY_FILE.stat().st_mode) == 0o600
        assert KEY_FILE.read_text().strip() not in text
        assert not KEY.search(text)
        paste_curl(text)
    first = KEY_FILE.read_text()
    with running() as text:
        paste_curl(text)
    assert KEY_FILE.read_text() == first


@pytest.mark.slow
def test_on_a_terminal_the_key_is_shown_once() -> None:
    with on_a_terminal() as text:
        (key,) = KEY.findall(text)
        assert "shown once" in text
        paste_curl(text)
    assert not KEY_FILE.exists()
    with on_a_terminal() as text:
        assert "Bearer $SWITCHGEAR_KEY" in text
        assert "sk-" not in text
        assert "shown once" not in text
        paste_curl(text, SWITCHGEAR_KEY=key)


@pytest.mark.slow
def test_not_on_loopback_without_a_key() -> None:
    assert_refused()


@pytest.mark.slow
def test_an_expired_key_is_no_key() -> None:
    add_key("first", expires=time.time() - 1)
    assert_refused()
    with running() as text:
        paste_curl(text)


@pytest.mark.slow
def test_an_expired_key_of_the_configuration_is_no_key() -> None:
    Path("config.yaml").write_text(
        "auth: {keys: [{name: old, key: sk-old-0123456789abcdef, expires: 2020-01-01}]}\n"
    )
    Path("config.yaml").chmod(0o600)
    assert_refused()


@pytest.mark.slow
def test_not_on_loopback_with_a_master_key() -> None:
    master = "sk-master-0123456789abcdef"
    with running(*ANYWHERE, SWITCHGEAR_MASTER_KEY=master) as text:
        assert "http://127.0.0.1:" in text
        assert master not in text
        paste_curl(text, SWITCHGEAR_KEY=master)
    assert not KEY_FILE.exists()


@pytest.mark.slow
def test_a_revoked_first_key_is_not_pointed_at() -> None:
    with running():
        pass
    other = add_key("other")
    revoke("first")
    with running() as text:
        assert "$(cat" not in text
        paste_curl(text, SWITCHGEAR_KEY=other)
    revoke("other")
    dead = KEY_FILE.read_text()
    with running() as text:
        paste_curl(text)
    assert KEY_FILE.read_text() != dead


@pytest.mark.slow
def test_the_key_file_of_an_expired_key_is_not_pointed_at() -> None:
    KEY_FILE.parent.mkdir()
    KEY_FILE.write_text(add_key("old", expires=time.time() - 1))
    other = add_key("other")
    with running() as text:
        assert "$(cat" not in text
        paste_curl(text, SWITCHGEAR_KEY=other)


@pytest.mark.slow
def test_a_key_file_with_something_else_in_it() -> None:
    other = add_key("other")
    KEY_FILE.write_bytes(b"\xff\xfe" * 3_000)
    with running() as text:
        assert "$(cat" not in text
        paste_curl(text, SWITCHGEAR_KEY=other)


# The command for another key, as pasted


@pytest.fixture
def script() -> Path:
    """The program as an installed script."""
    path = Path("bin/switchgear")
    path.parent.mkdir()
    path.write_text(f"#!{sys.executable}\nfrom app.cli import main\n\nmain()\n")
    path.chmod(0o755)
    return path


def assert_makes_a_key(text: str, **env: str) -> None:
    """Paste the printed command, then the curl with the new key, which counts within a second."""
    key = paste(key_command(text).replace("NAME", "another"), **env).strip()
    asking = re.sub(r"Bearer [^\"]*", "Bearer $SWITCHGEAR_KEY", text).replace("curl ", "curl --fail ")
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return paste_curl(asking, SWITCHGEAR_KEY=key)
        except AssertionError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.slow
def test_the_command_for_a_key_of_a_script(script: Path) -> None:
    with running(program=(str(script),)) as text:
        assert key_command(text) == "bin/switchgear keys create NAME"
        assert_makes_a_key(text)


@pytest.mark.slow
def test_the_command_for_a_key_of_a_script_on_the_path(script: Path) -> None:
    path = f"{script.parent.absolute()}:{os.environ['PATH']}"
    with running(program=("bash", "-c", 'exec switchgear "$@"', "-"), PATH=path) as text:
        assert key_command(text) == "switchgear keys create NAME"
        assert_makes_a_key(text, PATH=path)


@pytest.mark.slow
def test_the_command_for_a_key_names_the_configuration() -> None:
    file = Path("my config.yaml")
    file.write_text("storage: 'sqlite:///my data/keys.db'\n")
    with running("--config", str(file)) as text:
        paste_curl(text)
        assert "--config 'my config.yaml'" in key_command(text)
        assert_makes_a_key(text)
