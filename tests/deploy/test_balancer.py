"""The load balancer asks who is ready, passes streams on as they come, sends nothing twice, and shows no more than the API."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
import yaml

from app.api.client import KEEPALIVE_INTERVAL
from app.config.models import Server, Timeouts
from tests.deploy.haproxy import Line, read_sections, seconds
from tests.deploy.tree import ROOT

SECTIONS = read_sections()
COMPOSE = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
SERVER = Server.model_validate(yaml.safe_load((ROOT / "deploy/config.yaml").read_text())["server"])


def lines(section: str, *words: str) -> list[Line]:
    """Give what stands behind these words."""
    return [line[len(words) :] for line in SECTIONS[section] if line[: len(words)] == [*words]]


def timeout(name: str) -> float:
    ((value,),) = lines("defaults", "timeout", name)
    return seconds(value)


def test_every_instance_is_behind_it_and_nothing_else():
    gateways = {name for name, service in COMPOSE["services"].items() if "build" in service}
    servers = dict(lines("backend", "server"))
    assert servers == {name: f"{name}:{SERVER.port}" for name in gateways}
    assert len(gateways) == 2
    assert lines("frontend", "default_backend") == [["instances"]]


def test_it_asks_for_readiness_often_enough_to_notice_a_stop():
    assert lines("backend", "option", "httpchk") == [[]]
    (check,) = lines("backend", "http-check", "send")
    assert dict(zip(check[::2], check[1::2], strict=False))["uri"] == "/health/ready"
    assert lines("backend", "http-check", "expect") == [["status", "200"]]
    (default,) = lines("backend", "default-server")
    settings = dict(zip(default[1::2], default[2::2], strict=False))
    assert default[0] == "check"
    assert seconds(settings["inter"]) * int(settings["fall"]) + timeout("check") < SERVER.drain_notice


def test_nothing_holds_a_stream_back_or_ends_it():
    options = [" ".join(each) for each in lines("defaults", "option")]
    assert "http-no-delay" in options
    everything = [line for section in SECTIONS.values() for line in section]
    assert not [line for line in everything if "http-buffer-request" in line or line[0] == "compression"]
    longest = max(Timeouts().response, KEEPALIVE_INTERVAL)
    assert timeout("client") == timeout("server") > longest
    assert not lines("defaults", "timeout", "tunnel")


def test_no_call_is_sent_twice():
    """A connection that was refused has carried nothing; whatever else is the gateway's to try again."""
    assert lines("defaults", "retry-on") == [["conn-failure"]]
    assert not lines("backend", "retry-on")
    assert "http-server-close" in [" ".join(each) for each in lines("defaults", "option")]


def test_only_calls_and_health_pass():
    served = [" ".join(each) for each in lines("frontend", "acl", "served")]
    assert served == ["path_beg /v1/", "path /health/live /health/ready"]
    ((*_, text, unless, acl),) = lines("frontend", "http-request", "return")
    assert (unless, acl) == ("unless", "served")
    assert set(json.loads(text)["error"]) == {"message", "type", "param", "code"}
    (refusal,) = [line for line in SECTIONS["defaults"] if line[0] == "http-error"]
    assert set(json.loads(refusal[refusal.index("string") + 1])["error"]) == {
        "message",
        "type",
        "param",
        "code",
    }


def test_clients_cannot_say_where_they_come_from():
    words = [" ".join(line) for line in SECTIONS["frontend"]]
    assert words.index("http-request del-header X-Forwarded-For") < words.index("option forwardfor")


def test_a_whole_head_of_the_gateways_fits():
    ((size,),) = lines("global", "tune.bufsize")
    assert int(size) > 32 << 10


def test_haproxy_takes_it(tmp_path):
    haproxy = shutil.which("haproxy") or pytest.skip("haproxy is not installed; Debian has it")
    # Names of containers are known to the engine alone.
    text = (ROOT / "deploy/haproxy.cfg").read_text().replace("gateway-1:", "127.0.0.1:")
    config = tmp_path / "haproxy.cfg"
    config.write_text(text.replace("gateway-2:", "127.0.0.1:"))
    checked = subprocess.run(
        [haproxy, "-c", "-f", config], capture_output=True, text=True, check=False, timeout=20
    )
    assert checked.returncode == 0, checked.stderr
