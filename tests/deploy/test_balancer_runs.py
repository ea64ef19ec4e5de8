"""Two gateways behind a real HAProxy with the configuration that is shipped: streams, restarts, and calls that break."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.tree import ROOT
from tests.harness import actions as act
from tests.harness.client import Client
from tests.harness.gateway import KEY, Gateway, chat_body, free_port
from tests.harness.regulars import regulars
from tests.harness.rig import config_for, provider
from tests.harness.secrets import Secrets
from tests.harness.upstream import Gate, Upstream

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
CHAT = "/v1/chat/completions"


@dataclass
class Site:
    port: int
    """Of the balancer."""
    gateways: list[Gateway]
    upstream: Upstream

    def client(self) -> Client:
        return Client(self.port)

    def get(self, path: str) -> tuple[int, bytes]:
        with self.client() as client:
            client.request("GET", path, headers={"authorization": f"Bearer {KEY}"})
            answer = client.read()
            return answer.status, answer.body


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, secrets: Secrets) -> Iterator[Site]:
    haproxy = shutil.which("haproxy") or pytest.skip("haproxy is not installed; Debian has it")
    folder: Path = tmp_path_factory.mktemp("balancer")
    with Upstream() as upstream:
        patient = {"response": "60s", "first_event": "60s", "idle": "60s"}
        config = config_for({"up": provider(upstream, "up", exact=True, timeouts=patient), "echo": {}}, {})
        config["server"] = {"drain_notice": "5s", "trusted_proxies": ["127.0.0.0/8"]}
        gateways = []
        for name in ("gateway-1", "gateway-2"):
            (folder / name).mkdir()
            gateways.append(Gateway(config, folder / name, secrets))
        text, port = (ROOT / "deploy/haproxy.cfg").read_text(), free_port()
        # A test's machine may give it fewer files than its container does.
        text = text.replace("maxconn 20000", "maxconn 500")
        for gateway, name in zip(gateways, ("gateway-1", "gateway-2"), strict=True):
            text = text.replace(f"{name}:4000", f"127.0.0.1:{gateway.port}")
        (folder / "haproxy.cfg").write_text(text.replace("bind :8080", f"bind 127.0.0.1:{port}"))
        balancer = None
        try:
            for gateway in gateways:
                gateway.start()
            with (folder / "log").open("w") as log:
                balancer = subprocess.Popen(
                    [haproxy, "-db", "-f", folder / "haproxy.cfg"], stdout=log, stderr=log
                )
            site = Site(port, gateways, upstream)
            gateways[0].eventually(lambda: is_open(site), "the balancer")
            yield site
        finally:
            if balancer is not None:
                balancer.terminate()
                balancer.wait()
            for gateway in gateways:
                gateway.stop()


def is_open(site: Site) -> bool:
    try:
        return site.get("/health/ready")[0] == 200
    except OSError:
        return False


def test_a_stream_comes_through_event_by_event(site: Site) -> None:
    slot, gate = site.upstream.slot("paused"), Gate()
    events = act.events_of("openai/chat_stream_text.sse")
    rest = [act.wait_for(gate), *map(act.chunk, events[3:]), act.chunk(b"")]
    slot.script(act.stream_of(events[:3], rest))
    with site.client() as client:
        client.post(CHAT, chat_body("up/paused", stream=True), KEY)
        assert client.read_head() == 200
        seen = client.events()
        assert next(seen).data
        gate.open()
        assert [event.data for event in seen][-1] == "[DONE]"


def test_only_calls_and_health_come_through(site: Site) -> None:
    assert site.get("/v1/models")[0] == 200
    for path in ("/admin/v1/keys", "/metrics", "/docs", "/openapi.json", "/v1/../admin/v1/keys", "//admin"):
        status, body = site.get(path)
        assert status in {400, 404}, path
        assert b"echo" not in body, path
    with site.client() as client:
        padding = {"authorization": f"Bearer {KEY}", "x-padding": "a" * (30 << 10)}
        client.request("GET", "/v1/models", headers=padding)
        assert client.read().status == 200, "a head that the gateway takes"
        client.post(CHAT, chat_body("echo/any", prompt="long " * 200_000), KEY)
        assert client.read().status == 200


def test_one_instance_after_the_other_is_replaced_and_no_call_is_lost(site: Site) -> None:
    with regulars(site.port, 6, "rolled", chat_body("echo/any"), pause=0.01) as tally:
        for gateway in site.gateways:
            gateway.stop()
            gateway.start()
            # Two checks, and the other one may go.
            time.sleep(3)
    assert not tally.failures
    assert set(tally.statuses) == {200}
    assert len(tally.ids) > 200


def test_a_call_that_breaks_is_not_sent_again(site: Site) -> None:
    slot, gate = site.upstream.slot("broken"), Gate()
    slot.script([act.wait_for(gate), *act.golden_reply("openai/chat_response.json")])
    with site.client() as client:
        client.post(CHAT, chat_body("up/broken"), KEY)
        site.gateways[0].eventually(lambda: len(slot.requests) == 1, "the call under way")
        (holder,) = [gateway for gateway in site.gateways if gateway.in_flight()]
        holder.kill()
        assert client.read().status == 502
    assert len(slot.requests) == 1
    gate.open()
    with regulars(site.port, 4, "other", chat_body("echo/any")) as tally:
        time.sleep(1.5)
    assert set(tally.statuses) == {200}, "the other one is there"
    holder.start()
