"""`doctor`, `healthcheck`, and how every command behaves as a process."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.cli.program import program
from app.usage.frames import encode_frame
from tests.harness.gateway import ROOT, free_port
from tests.harness.secrets import canary


@contextmanager
def answering(answer: bytes | None) -> Iterator[tuple[int, list[bytes]]]:
    """Answer every connection with these bytes, or never; give the port and the requests as they come."""
    seen: list[bytes] = []
    open_ones: list[socket.socket] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            seen.append(connection.recv(4096))
            open_ones.append(connection)
            if answer is not None:
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], seen
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for connection in open_ones:
            connection.close()


READY = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"status":"ok"}'
NOT_READY = b"HTTP/1.1 503 Service Unavailable\r\n\r\n"


# healthcheck


def test_ready_is_0(sg):
    with answering(READY) as (port, seen):
        assert sg("healthcheck", env={"SWITCHGEAR_SERVER__PORT": str(port)}) == (0, "ready\n", "")
    assert seen[0].startswith(b"GET /health/ready HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (NOT_READY, "it answered 503"),
        (b"HTTP/1.1 302 Found\r\nlocation: /\r\n\r\n", "it answered 302"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "speaks no HTTP"),
        (b"", "speaks no HTTP"),
        (None, "no answer within 2 s"),
    ],
)
def test_anything_else_is_1_with_the_reason(sg, answer, words):
    with answering(answer) as (port, _):
        said = sg("healthcheck", "--url", f"http://127.0.0.1:{port}")
    assert (said.code, said.out) == (1, "")
    assert words in said.err


def test_nobody_there_is_1(sg):
    said = sg("healthcheck", env={"SWITCHGEAR_SERVER__PORT": str(free_port())})
    assert said.code == 1
    assert "Connection refused" in said.err


def test_a_host_that_is_none_is_1(sg):
    env = {"SWITCHGEAR_SERVER__HOST": "a..b", "SWITCHGEAR_MASTER_KEY": canary("SWITCHGEAR_MASTER_KEY")}
    said = sg("healthcheck", env=env)
    assert said.code == 1
    assert "`a..b` is no host name" in said.err
    assert sg("doctor", env=env).code == 1


def test_a_gateway_with_allowed_hosts_is_asked_by_one_of_them(sg, write):
    write(
        "server: {host: 0.0.0.0, allowed_hosts: ['*.example.com']}\nauth: {master_key: '${SWITCHGEAR_MASTER_KEY}'}"
    )
    with answering(READY) as (port, seen):
        env = {"SWITCHGEAR_SERVER__PORT": str(port), "SWITCHGEAR_MASTER_KEY": canary("SWITCHGEAR_MASTER_KEY")}
        assert sg("healthcheck", env=env).code == 0
    assert b"\r\nHost: healthcheck.example.com\r\n" in seen[0]


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1:4000",
        "https://127.0.0.1",
        "127.0.0.1:4000",
        "http://127.0.0.1:x",
        "http://127.0.0.1/x",
    ],
)
def test_other_places_are_not_asked(sg, url):
    said = sg("healthcheck", "--url", url)
    assert said.code == 1
    assert "not ready" not in said.err


# doctor


def findings(said) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for each in json.loads(said.out):
        found.setdefault(each["subject"], []).append((each["level"], each["found"] + " / " + each["advice"]))
    return found


@pytest.fixture
def port():
    """The variable that keeps a look at the port from finding somebody else's gateway."""
    return {"SWITCHGEAR_SERVER__PORT": str(free_port())}


def test_all_is_well_on_a_fresh_machine(sg, port, folder):
    said = sg("doctor", env=port)
    assert said.code == 0
    assert said.out.splitlines()[-1].endswith("0 warn, 0 fail")
    assert list(folder.iterdir()) == []


def test_a_broken_configuration_fails_and_the_rest_is_still_told(sg, write):
    write("server: {prot: 1}")
    said = sg("doctor", "--json")
    found = findings(said)
    assert said.code == 1
    ((level, text),) = found["configuration"]
    assert level == "fail"
    assert text.startswith("config.yaml:1:10: server.prot: unknown key")
    assert found["python"][0][0] == "ok"


def test_empty_variables_and_loose_files_are_warnings(sg, write, port, secrets):
    key = secrets.plant("sk-cli-doctor-0123456789")
    write(f"auth: {{keys: [{{name: ci, key: {key}}}]}}").chmod(0o666)
    said = sg("doctor", "--json", env={**port, "OPENAI_API_KEY": ""})
    found = findings(said)
    assert said.code == 0
    assert found["variable"][0][1].startswith("OPENAI_API_KEY is set, but empty")
    told = "".join(text for level, text in found["configuration"] if level == "warn")
    assert "chmod 600 config.yaml" in told
    assert "chmod go-w config.yaml" in told


def test_a_port_that_somebody_else_has_fails(sg):
    for answer in (NOT_READY, b"SSH-2.0\r\n", b"HTTP/1.1 200 OK\r\n\r\nwelcome"):
        with answering(answer) as (port, _):
            said = sg("doctor", "--json", env={"SWITCHGEAR_SERVER__PORT": str(port)})
        assert said.code == 1
        assert findings(said)["port"][0][0] == "fail"


def test_a_port_that_cannot_be_taken_fails(sg):
    # Bound, but nobody listens: a connection is refused and the address is not free either.
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        said = sg("doctor", "--json", env={"SWITCHGEAR_SERVER__PORT": str(holder.getsockname()[1])})
    assert said.code == 1
    ((level, text),) = findings(said)["port"]
    assert level == "fail"
    assert "Address already in use" in text


def test_open_to_others_without_a_key_fails(sg, port):
    env = {**port, "SWITCHGEAR_SERVER__HOST": "0.0.0.0"}
    said = sg("doctor", "--json", env=env)
    assert said.code == 1
    ((level, text),) = findings(said)["access"]
    assert level == "fail"
    assert "SWITCHGEAR_MASTER_KEY" in text
    assert sg("keys", "create", "someone").code == 0
    assert findings(sg("doctor", "--json", env=env))["access"][0][0] == "warn"


def test_what_is_no_database_fails(sg, port, write, folder):
    write("storage: 'sqlite:///broken.db'")
    (folder / "broken.db").write_text("no database" * 1000)
    said = sg("doctor", "--json", env=port)
    assert said.code == 1
    level, text = findings(said)["database"][0]
    assert level == "fail"
    assert text.startswith("file is not a database / see that it is a database of this program")


def test_a_data_folder_that_cannot_be_is_a_failure(sg, port, folder):
    (folder / "data").write_text("a file")
    said = sg("doctor", "--json", env=port)
    assert said.code == 1
    assert findings(said)["data folder"][0][0] == "fail"


def test_calls_that_wait_in_the_spool_are_counted(sg, port, folder, record):
    spool = folder / "data" / "spool"
    spool.mkdir(parents=True)
    (spool / "1-1-dead-000000.spool").write_bytes(encode_frame(record(1)) * 3)
    (spool / "rejected.jsonl").write_text("{}\n")
    told = [text for level, text in findings(sg("doctor", "--json", env=port))["spool"] if level == "warn"]
    assert any("not in the database yet: 3" in text for text in told)
    assert any("rejected.jsonl" in text for text in told)


# Every command, as a process


def test_the_version_is_printed(process):
    said = process("version")
    assert (said.code, said.err) == (0, "")
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", said.out)


def test_alone_it_lists_the_commands(process):
    said = process()
    assert said.code == 0
    for command in program.registered_commands:
        assert command.callback is not None
        assert f"\n  {command.callback.__name__} " in said.out
    assert "\n  keys " in said.out
    assert "\n  providers " in said.out


@pytest.mark.parametrize("arguments", [["nope"], ["check", "--nope"], ["keys"], ["explain"]])
def test_a_wrong_command_line_is_2(sg, arguments):
    said = sg(*arguments)
    assert (said.code, said.out) == (2, "")
    assert "Usage: switchgear" in said.err


def test_a_terminal_gets_a_drawn_table_without_control_characters(folder, write):
    write('models: {"fast\\e[31m": [echo/a]}')
    reader, writer = os.openpty()
    subprocess.run(
        [sys.executable, "-m", "app.cli", "models"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TERM": "dumb"},
        stdout=writer,
        timeout=30,
        check=True,
    )
    os.close(writer)
    shown = os.read(reader, 65536).decode()
    os.close(reader)
    assert "──" in shown
    assert "fast?[31m" in shown
    assert "\x1b" not in shown


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["schema"], ["providers", "--json"]])
def test_a_reader_that_leaves_ends_it_quietly(folder, arguments):
    with subprocess.Popen(
        [sys.executable, "-m", "app.cli", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""


def test_a_full_disk_is_one_line(folder):
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "app.cli", "version"],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (1, b"switchgear: No space left on device\n")


def test_a_terminal_with_few_characters_still_gets_its_answer(process, write):
    write("models: {fast: [echo/a, echo/b]}")
    said = process("check", env={"PYTHONIOENCODING": "latin-1"})
    assert said.code == 0
    assert r"fast \u2192 echo/a, echo/b" in said.out


def test_light_commands_import_nothing_heavy(folder):
    ended = subprocess.run(
        [
            sys.executable,
            "-X",
            "importtime",
            "-m",
            "app.cli",
            "healthcheck",
            "--url",
            f"http://127.0.0.1:{free_port()}",
        ],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=30,
        check=False,
        text=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "app.cli.healthcheck" in imported
    assert not imported & {
        "sqlalchemy",
        "fastapi",
        "uvicorn",
        "httpx2",
        "structlog",
        "yaml",
        "asyncio",
    }


def test_doctor_asks_the_redis_of_state(sg, secrets, valkey, write):
    port = {"SWITCHGEAR_SERVER__PORT": str(free_port())}

    def state_line(url: str) -> tuple[str, str]:
        write(f"state: {url}")
        said = sg("doctor", "--json", env=port)
        secrets.assert_absent((said.out + said.err).encode(), "doctor")
        (line,) = (each for each in json.loads(said.out) if each["subject"] == "shared state")
        return line["level"], line["found"]

    password = secrets.plant("state-canary-5d1f90")
    assert state_line("memory://")[0] == "ok"
    assert state_line(valkey.url)[0] == "ok"
    level, found = state_line(f"redis://:{password}@127.0.0.1:{free_port()}/0")
    assert level == "fail"
    assert "ConnectionError" in found
