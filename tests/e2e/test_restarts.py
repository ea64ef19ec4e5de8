"""Stopping and restarting under load, and processes that die: what clients notice of it, and what is told of it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.harness import actions as act
from tests.harness.client import Client
from tests.harness.gateway import KEY, Gateway, chat_body, free_port
from tests.harness.regulars import regulars
from tests.harness.rig import config_for, provider, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.streams import Streamed
from tests.harness.upstream import Action, Gate, Upstream

CHAT = "/v1/chat/completions"
STREAM = "openai/chat_stream_text.sse"
ANSWER = "openai/chat_response.json"
PATIENT = {"response": "30s", "first_event": "30s", "idle": "30s"}


def config_of(upstream: Upstream, **server: Any) -> dict[str, Any]:
    providers = {"up": provider(upstream, "up", exact=True, timeouts=PATIENT), "echo": {}}
    return config_for(providers, {}, server=server)


def held_stream(gate: Gate) -> Action:
    """Begin a stream, and end it when the gate opens."""
    start, first, *rest = act.golden_stream(STREAM)
    return [start, first, act.wait_for(gate), *rest]


def begin_stream(gateway: Gateway, model: str) -> Client:
    """Ask for a stream, and read up to its first event."""
    client = gateway.client(timeout=30.0)
    client.post(CHAT, chat_body(model, stream=True), KEY)
    assert client.read_head() == 200
    return client


def rest_of(client: Client) -> Streamed:
    return Streamed(client.status, client.headers, list(client.events()))


def refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def assert_told_of(gateway: Gateway, request_ids: list[str]) -> None:
    """See that each of these calls has one row and one line, and that no call has two."""
    assert_each_once(gateway, gateway.rows, set(request_ids))
    assert_each_once(gateway, gateway.log_lines, set(request_ids))


def assert_each_once(
    gateway: Gateway, books: Callable[[], list[dict[str, Any]]], request_ids: set[str]
) -> None:
    def counts() -> Counter[str]:
        return Counter(each["request_id"] for each in books())

    gateway.eventually(lambda: set(counts()) >= request_ids, "rows and lines", within=20.0)
    assert set(counts().values()) == {1}


@pytest.mark.slow
def test_case_117_a_restart_cuts_nothing_and_a_stop_says_why_it_does(
    tmp_path: Path, secrets: Secrets
) -> None:
    gate = Gate()
    with Upstream() as upstream:
        upstream.slot("held").script(held_stream(gate))
        config = config_of(upstream, drain_notice="300ms", drain="1s")
        with start_gateway(tmp_path / "run", secrets, config) as gateway:
            old, files = gateway.serving_pid, gateway.open_files()
            running = begin_stream(gateway, "up/held")
            stream_id = running.headers["x-request-id"]
            with regulars(gateway.port, 2, "regular", chat_body("echo/any"), pause=0.05) as tally:
                gateway.restart()
                new = gateway.serving_pids()[-1]
                assert new != old
                assert gateway.send("GET", "/health/ready").status == 200
                gate.open()
                assert rest_of(running).done
                # Its answer had begun before the farewell: it may ask once more, and is told then.
                while running.headers.get("connection") != "close":
                    running.request("GET", "/health/ready")
                    assert running.read().status == 200
                gateway.eventually(lambda: gateway.serving_pids() == [new], "the end of the old process")
                more = tally.answered + 5
                gateway.eventually(lambda: tally.answered >= more, "calls at the new process")
            assert (set(tally.statuses), tally.failures) == ({200}, [])
            assert tally.told_to_close >= 2
            assert gateway.output.count("A new key:") == 1, "the greeting is for the first start"
            assert_told_of(gateway, [*tally.ids, stream_id])
            gateway.eventually(lambda: gateway.open_files() <= files + 5, "return of all descriptors")

            upstream.slot("longer").script(held_stream(Gate()))
            cut = begin_stream(gateway, "up/longer")
            gateway.process.send_signal(signal.SIGTERM)
            assert rest_of(cut).error["code"] == "server_shutting_down"
            assert gateway.process.wait(10) == 0
            gateway.record(cut.headers["x-request-id"], outcome="interrupted", status=200)
            running.close()
            cut.close()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_case_115_a_stop_under_load(tmp_path: Path, secrets: Secrets) -> None:
    """50 streams of which half outlive the drain, and 100 requests a second."""
    drain, notice = 4.0, 1.0
    with Upstream() as upstream, ThreadPoolExecutor(50) as pool:
        for number in range(50):
            upstream.slot(f"s{number}").script(act.paced_stream(STREAM, 1.0 if number % 2 else 30.0))
        config = config_of(upstream, drain_notice=f"{notice}s", drain=f"{drain}s")
        with start_gateway(tmp_path / "run", secrets, config) as gateway:
            streams = [begin_stream(gateway, f"up/s{number}") for number in range(50)]
            endings = [pool.submit(rest_of, client) for client in streams]
            with regulars(gateway.port, 10, "regular", chat_body("echo/any"), pause=0.1) as tally:
                gateway.eventually(lambda: tally.answered > 50, "some calls")
                began = time.monotonic()
                gateway.process.send_signal(signal.SIGTERM)
                seen = []
                with contextlib.suppress(ConnectionError):
                    while True:
                        seen.append((gateway.send("GET", "/health/ready").status, tally.answered))
                closed = time.monotonic() - began
            status = gateway.process.wait(drain + 10)
            took = time.monotonic() - began
            ended = [ending.result() for ending in endings]
            for client in streams:
                client.close()
            assert (status, 503 in {each for each, _ in seen}) == (0, True)
            told = [answered for each, answered in seen if each == 503]
            assert max(told) > min(told), "calls are taken while readiness says no"
            assert set(tally.statuses) == {200}
            assert all("ConnectionRe" in each for each in tally.failures), tally.failures
            assert tally.told_to_close >= 10
            assert notice <= closed <= notice + 2
            assert drain < took < notice + drain + 5
            assert all(stream.done for stream in ended[1::2])
            assert {stream.error["code"] for stream in ended[::2]} == {"server_shutting_down"}
            assert_told_of(gateway, [*tally.ids, *(stream.request_id for stream in ended)])
            outcomes = Counter(row["outcome"] for row in gateway.rows())
            assert (outcomes["interrupted"], outcomes["success"]) == (25, 25 + len(tally.ids))


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_case_117_restarts_under_load_lose_nothing(tmp_path: Path, secrets: Secrets) -> None:
    with Upstream() as upstream:
        upstream.slot("paced").script(act.paced_stream(STREAM, 1.5))
        with start_gateway(tmp_path / "run", secrets, config_of(upstream, drain_notice="1s")) as gateway:
            stream = chat_body("up/paced", stream=True)
            with (
                regulars(gateway.port, 24, "regular", chat_body("echo/any")) as calls,
                regulars(gateway.port, 10, "stream", stream) as streams,
            ):
                for _ in range(5):
                    gateway.restart(within=60.0)
                    gateway.eventually(
                        lambda: len(gateway.serving_pids()) == 1, "the end of the old process", 30.0
                    )
                more = calls.answered + 24
                gateway.eventually(lambda: calls.answered > more, "calls at the last process")
            print(f"0 of {calls.answered} calls and of {streams.answered} streams lost in 5 restarts")
            assert (calls.failures, streams.failures) == ([], [])
            assert set(calls.statuses) | set(streams.statuses) == {200}
            assert streams.answered >= 50
            assert_told_of(gateway, [*calls.ids, *streams.ids])


@pytest.mark.slow
def test_a_process_that_dies_is_replaced_and_connections_wait(tmp_path: Path, secrets: Secrets) -> None:
    with Upstream() as upstream, start_gateway(tmp_path / "run", secrets, config_of(upstream)) as gateway:
        first = gateway.chat("echo/any").request_id
        old = gateway.serving_pid
        gateway.has_all_its_books = False  # what is killed may not have written its last lines
        os.kill(old, signal.SIGKILL)
        with gateway.client(timeout=20.0) as waiting:
            waiting.post(CHAT, chat_body("echo/any"), KEY)
            answer = waiting.read()
        assert answer.status == 200
        assert gateway.serving_pid != old
        ending = f"process {old}, which served, was ended by SIGKILL"
        gateway.eventually(lambda: ending in gateway.output, "the end to be told of")
        told = {first, answer.request_id}
        gateway.eventually(lambda: {row["request_id"] for row in gateway.rows()} == told, "both rows")
        assert gateway.stop() == 0


@pytest.mark.slow
def test_without_its_supervisor_a_process_ends_soon_and_in_order(tmp_path: Path, secrets: Secrets) -> None:
    gate = Gate()
    with Upstream() as upstream:
        upstream.slot("held").script(held_stream(gate))
        with start_gateway(tmp_path / "run", secrets, config_of(upstream)) as gateway:
            serving = Path(f"/proc/{gateway.serving_pid}")
            running = begin_stream(gateway, "up/held")
            gateway.process.kill()
            gateway.process.wait()
            until = time.monotonic() + 5
            while not refuses(gateway.port):
                assert time.monotonic() < until, "it goes on listening"
                time.sleep(0.02)
            assert serving.exists()
            gate.open()
            assert rest_of(running).done
            running.close()
            while serving.exists():
                assert time.monotonic() < until + 5, "it goes on"
                time.sleep(0.02)
            assert [row["outcome"] for row in gateway.rows()] == ["success"]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_successor_that_cannot_start_changes_nothing(tmp_path: Path, secrets: Secrets) -> None:
    def write(**server: Any) -> None:
        gateway.write_config({**gateway.config, "server": server})

    def fails(reason: str) -> None:
        told = gateway.output.count("goes on serving")
        gateway.process.send_signal(signal.SIGUSR2)
        gateway.eventually(lambda: gateway.output.count("goes on serving") > told, "the failure to be told")
        gateway.eventually(lambda: reason in gateway.output, "the reason")
        assert gateway.serving_pid == old
        assert gateway.chat("echo/any").status == 200

    with Upstream() as upstream, start_gateway(tmp_path / "run", secrets, config_of(upstream)) as gateway:
        old = gateway.serving_pid
        write(prot=1)
        fails("server.prot: unknown key")
        write(drain="5s")
        gateway.restart()
        gateway.eventually(lambda: gateway.serving_pids() != [old], "the end of the old process")
        assert gateway.chat("echo/any").status == 200


@pytest.mark.slow
def test_a_new_address_takes_effect_with_a_restart(tmp_path: Path, secrets: Secrets) -> None:
    (tmp_path / "run").mkdir()
    file = tmp_path / "run" / "config.yaml"
    ports = [free_port(), free_port()]
    config = config_for({"echo": {}}, {})

    def write(port: int) -> None:
        server = {"port": port, "drain_notice": "100ms"}
        file.write_text(yaml.safe_dump({**config, "server": server}))

    def until_served(port: int) -> None:
        deadline = time.monotonic() + 20
        while refuses(port):
            assert time.monotonic() < deadline
            time.sleep(0.02)

    write(ports[0])
    gateway = Gateway(config, file.parent, secrets)
    with subprocess.Popen(
        gateway.command(file), cwd=file.parent, env=gateway.environment(), stdout=subprocess.DEVNULL
    ) as process:
        until_served(ports[0])
        write(ports[1])
        process.send_signal(signal.SIGUSR2)
        until_served(ports[1])
        deadline = time.monotonic() + 10
        while not refuses(ports[0]):
            assert time.monotonic() < deadline, "the old address is still listened on"
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert refuses(ports[1])
