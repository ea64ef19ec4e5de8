"""What the gateway carries between client and provider, and what it keeps to itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.harness import actions as act
from tests.harness.gateway import KEY, chat_body
from tests.harness.lanes import LANES
from tests.harness.rig import Rig, credential_of, model_of, provider_of
from tests.harness.streams import stream_chat

CHAT = "/v1/chat/completions"
UNKNOWN: dict[str, Any] = {
    "future_field": {"deep": [1, 2.5, None, True, "ü 🗼", {"x": []}]},
    "reasoning_effort": "low",
    "logit_bias": {"50256": -100},
    "metadata": {"team": "a"},
    "big": 9007199254740993,
    "float": 0.1,
    "exponent": 1e-7,
}


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "plain"])
def test_unknown_request_fields_travel_untouched(rig: Rig, exact: bool) -> None:
    slot = rig.exact() if exact else rig.plain()
    slot.script(act.golden_reply("openai/chat_response.json"))
    assert rig.gateway.chat(model_of(slot), **UNKNOWN).status == 200
    assert slot.last.json == {**chat_body(slot.name), **UNKNOWN}


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "plain"])
def test_unknown_fields_of_messages_travel_untouched(rig: Rig, exact: bool) -> None:
    slot = rig.exact() if exact else rig.plain()
    slot.script(act.golden_reply("openai/chat_response.json"))
    part = {"type": "text", "text": "Hi", "prompt_cache_breakpoint": {"mode": "explicit"}}
    messages = [{"role": "user", "content": [part], "future": 1}, {"role": "critic", "content": "new role"}]
    assert rig.gateway.post(CHAT, {"model": model_of(slot), "messages": messages}).status == 200
    assert slot.last.json["messages"] == messages


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "plain"])
def test_unknown_answer_fields_travel_untouched(rig: Rig, exact: bool) -> None:
    slot = rig.exact() if exact else rig.plain()
    body = json.loads(act.golden("openai/chat_response.json"))
    body["future"] = UNKNOWN
    body["choices"][0]["message"]["reasoning_content"] = "hm"
    slot.script(act.json_reply(body))
    assert rig.gateway.chat(model_of(slot)).json == body


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "plain"])
def test_unknown_chunk_fields_travel_untouched(rig: Rig, exact: bool) -> None:
    slot = rig.exact() if exact else rig.plain()
    data = act.golden("openai/chat_stream_text.sse").replace(
        b'"object":', b'"future":{"x":[1,null]},"object":'
    )
    slot.script(act.stream_of([event + b"\n\n" for event in data.split(b"\n\n") if event]))
    streamed = stream_chat(rig.gateway, model_of(slot))
    assert all(chunk["future"] == {"x": [1, None]} for chunk in streamed.chunks)


def test_an_exact_providers_answer_passes_byte_for_byte(rig: Rig) -> None:
    slot = rig.exact()
    slot.script(act.golden_reply("openai/chat_response.json"))
    assert rig.gateway.chat(model_of(slot)).body == act.golden("openai/chat_response.json")


INBOUND = {
    "cookie": "session=secret-cookie-value",
    "x-forwarded-for": "203.0.113.9",
    "x-forwarded-host": "evil.test",
    "forwarded": "for=203.0.113.9",
    "x-real-ip": "203.0.113.9",
    "proxy-authorization": "Basic eDp5",
    "proxy-connection": "keep-alive",
    "openai-organization": "org-of-the-client",
    "openai-project": "proj-of-the-client",
    "x-api-key": KEY,
    "anthropic-beta": "something",
    "x-secret": "hop",
    "connection": "x-secret",
    "te": "trailers",
    "x-switchgear-tags": "a=b",
    "x-switchgear-provider": "other",
    "x-switchgear-user": "root",
    "x-stainless-lang": "python",
    "user-agent": "OpenAI/Python 3.51.0",
    "origin": "https://evil.test",
    "referer": "https://evil.test/",
    "accept-encoding": "gzip, br",
    "idempotency-key": "abc",
    "via": "1.1 evil",
}
ALLOWED = {
    "exact": {"host", "user-agent", "content-type", "content-length", "authorization", "accept", "accept-encoding"},
    "anthropic": {
        "host", "user-agent", "content-type", "content-length", "x-api-key", "anthropic-version", "accept", "accept-encoding",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", ALLOWED)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_case_56_inbound_headers_stay_here(rig: Rig, name: str, stream: bool) -> None:
    lane = LANES[name]
    slot = lane.take(rig)
    slot.script(lane.text_stream() if stream else lane.chat_reply())
    response = rig.gateway.chat(model_of(slot), headers=INBOUND, stream=stream)
    assert response.status == 200
    sent = dict(slot.last.headers)
    assert set(sent) <= ALLOWED[name] | {"connection"}, sent
    assert sent.get("connection", "keep-alive") == "keep-alive"
    assert sent["user-agent"].startswith("switchgear")
    assert sent.get("accept-encoding", "identity") == "identity"
    credential = credential_of(provider_of(slot))
    assert credential in (sent.get("authorization", ""), sent.get("x-api-key", "")) or (
        sent["authorization"] == f"Bearer {credential}"
    )
    assert KEY not in repr(sent)


def test_case_56_the_providers_headers_stay_there(rig: Rig) -> None:
    slot = rig.exact()
    theirs = {
        "set-cookie": "a=b",
        "openai-organization": "org-abc",
        "server": "theirs",
        "x-request-id": "req_theirs",
        "x-switchgear-provider": "spoofed",
        "access-control-allow-origin": "*",
        "strict-transport-security": "max-age=1",
    }
    slot.script(act.golden_reply("openai/chat_response.json", headers=theirs))
    headers = rig.gateway.chat(model_of(slot), headers={"x-request-id": "mine-1"}).headers
    assert "set-cookie" not in headers
    assert "openai-organization" not in headers
    assert "access-control-allow-origin" not in headers
    assert headers["x-request-id"] == "mine-1"
    assert headers["x-switchgear-provider"] == provider_of(slot)


def test_a_cookie_of_the_provider_is_never_sent_back(rig: Rig) -> None:
    slot = rig.exact()
    slot.script(act.golden_reply("openai/chat_response.json", headers={"set-cookie": "tracker=1; Path=/"}))
    for _ in range(2):
        assert rig.gateway.chat(model_of(slot)).status == 200
    assert slot.last.header("cookie") is None


@pytest.mark.parametrize("given", ["abc-123", "req_7.a:b", "x" * 128])
def test_a_sane_request_id_is_echoed(rig: Rig, given: str) -> None:
    slot = rig.upstream.slot("fastone")
    slot.script(act.golden_reply("openai/chat_response.json"))
    assert rig.gateway.chat("fast", headers={"x-request-id": given}).request_id == given


@pytest.mark.parametrize("given", ["", " ", "x" * 129, "a b", "a\tb", "<script>", "a;b", "{}"])
def test_another_request_id_is_replaced(rig: Rig, given: str) -> None:
    slot = rig.upstream.slot("fastone")
    slot.script(act.golden_reply("openai/chat_response.json"))
    response = rig.gateway.chat("fast", headers={"x-request-id": given})
    assert response.status == 200
    assert response.request_id != given
    assert len(response.request_id) >= 8


def test_every_answer_has_a_request_id_of_its_own(rig: Rig) -> None:
    paths = ["/health/live", "/v1/models", "/nowhere", "/metrics", CHAT]
    ids = [rig.gateway.send("GET", path).headers["x-request-id"] for path in paths * 2]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("path", [CHAT, "/chat/completions"])
def test_paths_with_and_without_v1(rig: Rig, path: str) -> None:
    slot = rig.upstream.slot("fastone")
    slot.script(act.golden_reply("openai/chat_response.json"))
    assert rig.gateway.post(path, chat_body("fast")).status == 200
    assert slot.last.path == CHAT


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", CHAT, 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("POST", "/v1/chat/completions/", 404, "not_found"),
        ("POST", "/v1//chat/completions", 404, "not_found"),
        ("POST", "/V1/chat/completions", 404, "not_found"),
    ],
)
def test_wrong_paths_and_methods(rig: Rig, method: str, path: str, status: int, code: str) -> None:
    response = rig.gateway.send(method, path, headers={"authorization": f"Bearer {KEY}"})
    assert (response.status, response.error["code"]) == (status, code)
