"""The admin API on a port of its own: what answers where, and that it lives as long as the other port."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.harness.client import Client, Response
from tests.harness.gateway import KEY, Gateway, chat_body, free_port
from tests.harness.secrets import Secrets

MASTER = "sk-master-of-the-admin-port-0123456789"
BEARER = {"authorization": f"Bearer {MASTER}"}


def config_of(admin: dict[str, Any], **server: Any) -> dict[str, Any]:
    auth = {"master_key": MASTER, "keys": [{"name": "app", "key": KEY}]}
    return {"providers": {"echo": {}}, "admin": admin, "auth": auth, "server": server}


def ask(port: int, path: str, method: str = "GET", headers: dict[str, str] | None = None) -> Response:
    with Client(port) as client:
        client.request(method, path, b"", headers)
        return client.read()


def statuses(gateway: Gateway, admin: int) -> dict[str, tuple[int, int]]:
    paths = ("/admin/v1/providers", "/docs", "/openapi.json", "/health/ready", "/metrics", "/v1/models")
    return {
        path: tuple(ask(port, path, headers=BEARER).status for port in (gateway.port, admin))
        for path in paths
    }


@pytest.mark.slow
def test_case_53_the_admin_port_answers_alone_and_outlives_restarts(tmp_path: Path, secrets: Secrets) -> None:
    admin = free_port()
    expected = {
        **dict.fromkeys(("/admin/v1/providers", "/docs", "/openapi.json"), (404, 200)),
        **dict.fromkeys(("/health/ready", "/metrics"), (200, 200)),
        "/v1/models": (200, 404),
    }
    with Gateway(config_of({"port": admin}, drain="5s"), tmp_path, secrets) as gateway:
        assert statuses(gateway, admin) == expected
        assert gateway.told("listening_for_admin", host="127.0.0.1", port=admin)
        with Client(admin) as client:
            client.post("/v1/chat/completions", chat_body("echo/any"), KEY)
            refused = client.read()
            assert (refused.status, refused.error["code"]) == (404, "not_found")

        # The commands that ask a running gateway find it there.
        shown = subprocess.run(
            [sys.executable, "-m", "app.cli", "providers", "--json"],
            cwd=tmp_path,
            env=gateway.environment(),
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        assert shown.stderr == ""
        (echo,) = (each for each in json.loads(shown.stdout) if each["name"] == "echo")
        assert echo["live"]["breaker"] == "closed"

        # Both sockets pass on to the successor; what waits on a connection of the old one is answered.
        gateway.restart()
        gateway.eventually(lambda: len(gateway.serving_pids()) == 1, "the end of the old process")
        assert statuses(gateway, admin) == expected

        # A process that dies is replaced, on the same two sockets.
        pid = gateway.serving_pid
        gateway.has_all_its_books = False
        subprocess.run(["kill", "-9", str(pid)], check=True)
        gateway.eventually(lambda: pid not in gateway.serving_pids(), "another process")
        assert statuses(gateway, admin) == expected

        # Another port holds from the next restart on, and the old one is let go.
        moved = free_port()
        gateway.write_config(config_of({"port": moved}, drain="5s"))
        reload = ask(admin, "/admin/v1/reload", "POST", BEARER)
        assert json.loads(reload.body)["restart_needed"] == ["admin.port"]
        assert statuses(gateway, admin) == expected
        gateway.restart()
        gateway.eventually(lambda: len(gateway.serving_pids()) == 1, "the end of the old process")
        assert statuses(gateway, moved) == expected
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", admin)) != 0

        # The same port as the other one's cannot be, and says so.
        gateway.write_config(config_of({"port": gateway.port}))
        refused = ask(moved, "/admin/v1/reload", "POST", BEARER)
        assert (refused.status, refused.error["code"]) == (400, "invalid_configuration")
        assert "admin.port" in refused.error["message"]

        with Client(moved) as idle:
            idle.request("GET", "/health/ready", b"", {})
            assert idle.read().status == 200
            gateway.process.send_signal(signal.SIGTERM)
            assert gateway.process.wait(10) == 0
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", moved)) != 0


@pytest.mark.slow
def test_case_53_an_admin_port_for_others_needs_somebody_who_may_use_it(
    tmp_path: Path, secrets: Secrets
) -> None:
    def run(**auth: Any) -> subprocess.CompletedProcess[str]:
        config = {"providers": {"echo": {}}, "admin": {"host": "0.0.0.0", "port": free_port()}, "auth": auth}
        gateway = Gateway(config, tmp_path, secrets)
        command = [*gateway.command(gateway.write_config(config)), "--port", str(gateway.port)]
        return subprocess.run(
            command,
            cwd=tmp_path,
            env=gateway.environment(),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    for auth in ({}, {"keys": [{"name": "app", "key": KEY}]}):
        refused = run(**auth)
        assert refused.returncode == 1
        assert "refusing to listen on 0.0.0.0 (admin.host)" in refused.stderr
        assert "Traceback" not in refused.stderr
