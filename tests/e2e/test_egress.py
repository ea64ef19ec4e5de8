"""Out through a proxy, to a provider that shows and asks for certificates of an authority of its own."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.harness import actions as act
from tests.harness.lanes import ANSWER
from tests.harness.proxy import Proxy
from tests.harness.rig import config_for, provider, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.streams import stream_chat
from tests.harness.tls import CA, CLIENT, server_tls
from tests.harness.upstream import Upstream

PASSWORD = "proxy-canary-0123456789"


@pytest.mark.slow
def test_through_a_proxy_to_a_provider_with_certificates(tmp_path: Path, secrets: Secrets) -> None:
    secrets.plant(PASSWORD)
    basic = base64.b64encode(f"gate:{PASSWORD}".encode()).decode()
    secrets.plant(basic)
    with Upstream(server_tls(asks_for_certificate=True)) as upstream, Proxy(f"Basic {basic}") as proxy:
        tls = {"ca_file": CA, **CLIENT}
        pools = {
            "far": {"proxy": proxy.url(f"gate:{PASSWORD}"), "tls": tls},
            "near": {"tls": tls},
            "barred": {"proxy": proxy.url("gate:wrong"), "tls": tls},
            "untrusted": {},
        }
        providers = {name: provider(upstream, name, exact=True, pool=pool) for name, pool in pools.items()}
        for name in pools:
            upstream.slot(name).script(act.golden_stream("openai/chat_stream_text.sse"))
        with start_gateway(tmp_path, secrets, config_for(providers, {})) as gateway:
            for name in ("far", "far", "near"):
                assert stream_chat(gateway, f"{name}/{name}").text == ANSWER
            assert proxy.asked == [f"CONNECT 127.0.0.1:{upstream.port}"], "the tunnel was not used again"
            for name in ("barred", "untrusted"):
                refused = gateway.chat(f"{name}/{name}", stream=True)
                assert (refused.status, refused.error["code"]) == (502, "upstream_unreachable")
