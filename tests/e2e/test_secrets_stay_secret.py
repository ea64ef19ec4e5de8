"""Planted secrets are looked for everywhere that anybody can look: output, metrics, errors, answers, files."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.harness import actions as act
from tests.harness.gateway import KEY, Gateway, chat_body
from tests.harness.lanes import ANSWER
from tests.harness.rig import Rig, config_for, model_of, provider, start_gateway
from tests.harness.secrets import Secrets, canary
from tests.harness.streams import stream_chat
from tests.harness.upstream import Slot, Upstream

pytestmark = pytest.mark.slow

CHAT = "/v1/chat/completions"


def provoke(gateway: Gateway, slot: Slot, secret: str, prompt: str) -> None:
    """Make calls whose failures would most likely tell."""
    telling = f"You sent Authorization: Bearer {secret}"
    for action in (
        act.golden_reply("openai/chat_response.json"),
        act.error_reply(400, telling),
        act.error_reply(401, telling),
        act.error_reply(404, telling),
        act.error_reply(429, telling),
        act.error_reply(500, telling),
        act.reply(f"<html>{telling}</html>".encode(), 502, kind="text/html"),
        act.reply(telling.encode()),
        act.json_reply({"error": {"message": telling, "type": "server_error"}}),
        [act.hang],
        [act.reset],
        act.redirect(302, f"http://127.0.0.1:9/?key={secret}"),
    ):
        slot.script(action)
        for provider_ in ("up", "old"):
            gateway.chat(f"{provider_}/up", prompt=prompt, user=prompt)
            # So that the next one is asked too, though its credential was refused.
            gateway.post(f"/admin/v1/providers/{provider_}/reset", {}, key=canary("MASTER"))
    error = b'data: {"error":{"message":"%b","type":"server_error"}}\n\n' % telling.encode()
    first = act.events_of("openai/chat_stream_text.sse")[:3]
    slot.script(act.stream_of([*first, error]))
    stream_chat(gateway, "up/up", prompt=prompt)
    slot.script(act.golden_stream("openai/chat_stream_text.sse", [act.close], first=4))
    stream_chat(gateway, "up/up", prompt=prompt)
    gateway.post(CHAT, b'{"model": "' + prompt.encode() + b'", "messages": [' + prompt.encode())
    gateway.post(CHAT, chat_body(prompt), key=f"{KEY}x")
    gateway.send("GET", "/v1/models", headers={"authorization": f"Bearer {KEY}"})
    gateway.send("GET", "/health/ready")


def test_no_secret_shows_anywhere(tmp_path: Path, secrets: Secrets) -> None:
    credential = secrets.plant(canary("CREDENTIAL"))
    prompt = secrets.plant(canary("PROMPT"))
    stored = secrets.plant(canary("STORED"))
    sealing = secrets.plant(base64.b64encode(b"canary-that-seals-the-stored-one").decode())
    from_environment = secrets.plant(canary("OPENAI_FROM_ENVIRONMENT"))
    with Upstream() as upstream:
        settings = {"keys": [credential], "exact": True}
        providers = {
            "up": provider(upstream, "up", **settings),
            "old": provider(upstream, "up", keys=[credential]),
            "kept": provider(upstream, "kept", keys=[]),
        }
        config = config_for(providers, {"fast": ["up/up"]})
        environment = {
            "OPENAI_API_KEY": from_environment,
            "SWITCHGEAR_MASTER_KEY": secrets.plant(canary("MASTER")),
            "SWITCHGEAR_ENCRYPTION__KEYS": sealing,
        }
        with start_gateway(tmp_path / "run", secrets, config, env=environment) as gateway:
            body = {"key": stored}
            added = gateway.post("/admin/v1/providers/kept/credentials", body, key=canary("MASTER"))
            assert added.status == 201, added.body
            provoke(gateway, upstream.slot("up"), credential, prompt)
            assert credential in repr(upstream.slot("up").last.headers), "the credential was not used at all"
            for status in (400, 401):
                upstream.slot("up").script(act.error_reply(status, f"You sent Bearer {stored}"))
                assert gateway.chat("kept/up").status >= 400
            assert stored in repr(upstream.slot("up").last.headers), "the stored one was not used at all"
            gateway.metrics()
            gateway.eventually(lambda: len(gateway.rows()) >= 28, "the rows")
            gateway.assert_no_secrets()
    # Leaving the block looks through the output and the files once more.


def test_the_answer_of_a_model_is_not_logged(rig: Rig) -> None:
    answer = canary("ANSWER")
    slot = rig.exact()
    recorded = act.golden("openai/chat_response.json")
    slot.script(act.reply(recorded.replace(ANSWER.encode(), answer.encode())))
    response = rig.gateway.chat(model_of(slot))
    assert answer in response.body.decode()
    rig.gateway.record(response.request_id)
    assert answer not in rig.gateway.output
    for path in rig.gateway.directory.rglob("*"):
        assert not path.is_file() or answer.encode() not in path.read_bytes(), path


def test_health_and_metrics_do_not_name_addresses(rig: Rig) -> None:
    slot = rig.exact()
    slot.script(act.golden_reply("openai/chat_response.json"))
    rig.gateway.chat(model_of(slot))
    for path in ("/health/live", "/health/ready", "/metrics"):
        assert rig.upstream.url.encode() not in rig.gateway.send("GET", path).body
