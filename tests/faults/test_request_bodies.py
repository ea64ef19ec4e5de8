"""Cases 15 to 23: bodies that are wrong, hostile or too much, each refused before any provider hears of it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.harness import actions as act
from tests.harness.client import Response
from tests.harness.gateway import KEY, chat_body
from tests.harness.rig import Rig, credential_of
from tests.harness.upstream import Slot, Upstream

CHAT = "/v1/chat/completions"
MESSAGES = '"messages":[{"role":"user","content":"Hi"}]'


@pytest.fixture
def slot(rig: Rig) -> Slot:
    slot = rig.upstream.slot("fastone")
    slot.script(act.golden_reply("openai/chat_response.json"))
    return slot


def refused(rig: Rig, body: str | bytes, **headers: str) -> dict[str, Any]:
    """Send it, check that it is a 400 in our form and that the provider saw nothing; give the error."""
    slot = rig.upstream.slot("fastone")
    before = len(slot.requests)
    response = send(rig, body, **headers)
    assert response.status == 400, response
    assert len(slot.requests) == before, "the provider saw a request that was refused"
    assert response.error["type"] == "invalid_request_error"
    assert response.error["message"]
    return response.error


def send(rig: Rig, body: str | bytes, **headers: str) -> Response:
    data = body.encode() if isinstance(body, str) else body
    return rig.gateway.post(CHAT, data, headers={name.replace("_", "-"): v for name, v in headers.items()})


@pytest.mark.parametrize(
    "body",
    [
        f'{{"model":"fast","model":"other",{MESSAGES}}}',
        f'{{"model":"fast",{MESSAGES},"metadata":{{"a":"1","a":"2"}}}}',
        '{"model":"fast","messages":[{"role":"user","role":"system","content":"Hi"}]}',
        f'{{"model":"fast",{MESSAGES},"\\u0073tream":true,"stream":false}}',
    ],
    ids=["top", "nested", "in a list", "spelt with an escape"],
)
def test_case_15_duplicate_keys(rig: Rig, slot: Slot, body: str) -> None:
    assert refused(rig, body)["code"] == "duplicate_key"


def nested(depth: int) -> str:
    """A body whose deepest value lies `depth` containers down, the body itself being the first."""
    inside = "[" * (depth - 1) + "]" * (depth - 1)
    return f'{{"model":"fast",{MESSAGES},"metadata":{inside}}}'


def test_case_17_depth_64_passes(rig: Rig, slot: Slot) -> None:
    response = send(rig, nested(64))
    assert response.status == 200
    assert slot.last.json["metadata"] == json.loads(nested(64))["metadata"]


@pytest.mark.parametrize("depth", [65, 1_500, 100_000])
def test_case_17_greater_depth_is_refused(rig: Rig, slot: Slot, depth: int) -> None:
    assert "64" in refused(rig, nested(depth))["message"]


def test_case_17_brackets_in_texts_are_no_depth(rig: Rig, slot: Slot) -> None:
    prompt = '"[[[{{{\\' * 1_000
    assert rig.gateway.chat("fast", prompt=prompt).status == 200
    assert slot.last.json["messages"][0]["content"] == prompt


@pytest.mark.parametrize(
    "value", ["1" * 5_000, "18446744073709551616", "1e999", "-1e999", "NaN", "Infinity", "-Infinity"]
)
def test_case_18_numbers_that_are_none(rig: Rig, slot: Slot, value: str) -> None:
    refused(rig, f'{{"model":"fast",{MESSAGES},"x":{value}}}')


@pytest.mark.parametrize("value", ["18446744073686646784", "-1", "0", "1.5", "true", '"5"'])
@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_case_18_max_tokens(rig: Rig, slot: Slot, field: str, value: str) -> None:
    assert refused(rig, f'{{"model":"fast",{MESSAGES},"{field}":{value}}}')["param"] == field


@pytest.mark.parametrize("value", ["1000000000", "0", "-3", "1.5", "false", '"2"'])
def test_case_18_n(rig: Rig, slot: Slot, value: str) -> None:
    assert refused(rig, f'{{"model":"fast",{MESSAGES},"n":{value}}}')["param"] == "n"


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        '"text"',
        "null",
        "7",
        "true",
        "",
        "   ",
        "{",
        f'{{"model":"fast",{MESSAGES}}} x',
        f'{{"model":"fast",{MESSAGES},}}',
    ],
)
def test_case_21_other_shapes(rig: Rig, slot: Slot, body: str) -> None:
    refused(rig, body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"fast","messages":[{"role":"user","content":"\xff\xfe"}]}',
        b'{"model":"fast","messages":[{"role":"user","content":"\xed\xa0\x80"}]}',
        b"\xef\xbb\xbf" + json.dumps(chat_body("fast")).encode(),
        json.dumps(chat_body("fast")).encode("utf-16"),
    ],
    ids=["no UTF-8", "surrogate in UTF-8", "byte order mark", "UTF-16"],
)
def test_case_21_other_encodings(rig: Rig, slot: Slot, body: bytes) -> None:
    refused(rig, body)


def test_case_21_a_lone_surrogate_never_breaks_the_gateway(rig: Rig, slot: Slot) -> None:
    response = send(rig, '{"model":"fast","messages":[{"role":"user","content":"\\ud800"}]}')
    assert response.status in {200, 400}


@pytest.mark.parametrize(
    "kind",
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "application/xml"],
)
def test_case_21_other_content_types(rig: Rig, slot: Slot, kind: str) -> None:
    response = rig.gateway.post(CHAT, chat_body("fast"), headers={"content-type": kind})
    assert response.status == 415
    assert response.error["code"] == "unsupported_media_type"


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "gzip, gzip", "deflate"])
def test_case_12_compressed_requests(rig: Rig, slot: Slot, encoding: str) -> None:
    response = rig.gateway.post(CHAT, b"\x1f\x8b", headers={"content-encoding": encoding})
    assert response.status == 415
    assert response.error["code"] == "unsupported_encoding"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"model": "fast"},
        {"messages": []},
        {"model": 7, "messages": [{"role": "user", "content": "Hi"}]},
        {"model": "", "messages": [{"role": "user", "content": "Hi"}]},
        {"model": "fast", "messages": "Hi"},
        {"model": "fast", "messages": []},
        {"model": "fast", "messages": ["Hi"]},
        {"model": "fast", "messages": [{"role": "user", "content": "Hi"}], "stream": "yes"},
        {"model": "fast", "messages": [{"role": "user", "content": "Hi"}], "stream_options": 1},
        {"model": "fast", "messages": [{"role": "user", "content": "Hi"}], "temperature": "hot"},
    ],
    ids=lambda body: json.dumps(body)[:60],
)
def test_case_21_missing_and_mistyped_fields(rig: Rig, slot: Slot, body: Any) -> None:
    assert refused(rig, json.dumps(body))["param"]


def many(what: str) -> bytes:
    parts = {
        "keys": "{" + ",".join(f'"k{n}":0' for n in range(1_000_000)) + "}",
        "messages": "[" + ",".join(["{}"] * 1_000_000) + "]",
        "tools": "[" + ",".join(["{}"] * 100_000) + "]",
    }
    field = {"keys": "metadata", "messages": "messages", "tools": "tools"}[what]
    before = "" if what == "messages" else f"{MESSAGES},"
    return f'{{"model":"fast",{before}"{field}":{parts[what]}}}'.encode()


@pytest.mark.parametrize("what", ["keys", "messages", "tools"])
def test_case_22_counts(rig: Rig, slot: Slot, what: str) -> None:
    refused(rig, many(what))


ROUTING = [
    "api_base",
    "base_url",
    "api_key",
    "fallbacks",
    "model_list",
    "extra_headers",
    "custom_llm_provider",
    "litellm_params",
]


@pytest.fixture(scope="module")
def attacker() -> Any:
    with Upstream() as upstream:
        yield upstream
        assert upstream.connections == 0, "the gateway connected to the attacker"


@pytest.mark.parametrize("field", ROUTING)
def test_case_23_routing_fields_are_refused(rig: Rig, slot: Slot, attacker: Upstream, field: str) -> None:
    assert refused(rig, json.dumps(chat_body("fast", **{field: attacker.url})))["param"] == field


@pytest.mark.parametrize("field", ROUTING)
def test_case_23_routing_fields_are_refused_deeper_down(
    rig: Rig, slot: Slot, attacker: Upstream, field: str
) -> None:
    for place in ("metadata", "extra_body"):
        body = chat_body("fast") | {place: {field: attacker.url}}
        assert refused(rig, json.dumps(body))["param"]


@pytest.mark.parametrize("field", ROUTING)
def test_case_23_routing_in_headers_and_query_has_no_effect(
    rig: Rig, slot: Slot, attacker: Upstream, field: str
) -> None:
    headers = {field: attacker.url, f"x-switchgear-{field.replace('_', '-')}": attacker.url}
    response = rig.gateway.post(f"{CHAT}?{field}={attacker.url}", chat_body("fast"), headers=headers)
    assert response.status == 200
    assert response.headers["x-switchgear-provider"] == "fastone"
    assert slot.last.header("authorization") == f"Bearer {credential_of('fastone')}"
    assert attacker.url not in repr(slot.last.headers)
    assert slot.last.path == CHAT


def test_case_17_deep_bodies_are_refused_quickly(rig: Rig, slot: Slot) -> None:
    with rig.gateway.client() as client:
        took = []
        for _ in range(5):
            started = time.perf_counter()
            client.post(CHAT, nested(100_000).encode(), KEY)
            assert client.read().status == 400
            took.append(time.perf_counter() - started)
    assert min(took) < 0.05
