"""Cases 26 to 28 and 34: keys that are missing, malformed, hostile or not allowed."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from tests.harness import actions as act
from tests.harness.client import Response
from tests.harness.gateway import KEY, LIMITED_KEY, chat_body
from tests.harness.rig import Rig, model_of

CHAT = "/v1/chat/completions"


def with_headers(rig: Rig, lines: bytes) -> Response:
    """Call with these header lines as they are."""
    body = b'{"model":"fast","messages":[{"role":"user","content":"Hi"}]}'
    with rig.gateway.client() as client:
        client.send(
            b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%b\r\n"
            % (CHAT.encode(), len(body), lines)
            + body
        )
        return client.read()


def assert_unauthorized(response: Response) -> None:
    assert response.status == 401, response
    assert response.error["type"] == "authentication_error"
    assert response.error["code"] == "invalid_api_key"
    assert response.headers["www-authenticate"].startswith("Bearer")


KEY_BYTES = KEY.encode()
MALFORMED = {
    "none": b"",
    "basic": b"authorization: Basic dXNlcjpwYXNz\r\n",
    "two headers": b"authorization: Bearer %b\r\nauthorization: Bearer other-key-0123456789\r\n" % KEY_BYTES,
    "the same twice": b"authorization: Bearer %b\r\nauthorization: Bearer %b\r\n" % (KEY_BYTES, KEY_BYTES),
    "no token": b"authorization: Bearer\r\n",
    "blank token": b"authorization: Bearer   \r\n",
    "empty": b"authorization:\r\n",
    "tab": b"authorization: Bearer\t%b\r\n" % KEY_BYTES,
    "tab inside": b"authorization: Bearer \t%b\r\n" % KEY_BYTES,
    "two tokens": b"authorization: Bearer %b %b\r\n" % (KEY_BYTES, KEY_BYTES),
    "comma": b"authorization: Bearer %b, Bearer x\r\n" % KEY_BYTES,
    "other case": b"authorization: Bearer %b\r\n" % KEY_BYTES.upper(),
    "prefix": b"authorization: Bearer %b\r\n" % KEY_BYTES[:-1],
    "longer": b"authorization: Bearer %bx\r\n" % KEY_BYTES,
    "8 KiB": b"authorization: Bearer %b\r\n" % (b"k" * 8_192),
    "two places that differ": b"authorization: Bearer %b\r\nx-api-key: other-key-0123456789\r\n" % KEY_BYTES,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_case_26_malformed(rig: Rig, name: str) -> None:
    assert_unauthorized(with_headers(rig, MALFORMED[name]))


def test_case_26_64_kib_token(rig: Rig) -> None:
    response = with_headers(rig, b"authorization: Bearer %b\r\n" % (b"k" * 65_536))
    assert response.status in {401, 431}
    assert response.error["code"] in {"invalid_api_key", "headers_too_large"}


@pytest.mark.parametrize("value", [b"\x80\x81\xff", b"sk-\xc3\xa9\xc3\xa9", bytes(range(0x80, 0x100))])
def test_case_27_non_ascii(rig: Rig, value: bytes) -> None:
    assert_unauthorized(with_headers(rig, b"authorization: Bearer %b\r\n" % value))


@pytest.mark.parametrize("prefix", ["", "sk-"])
@pytest.mark.parametrize(
    "attack", ["' OR 1=1--", "'; select pg_sleep(5)--", '" OR ""="', "%", "sk-%", "\\' OR 1=1 #"]
)
def test_case_28_sql(rig: Rig, prefix: str, attack: str) -> None:
    started = time.perf_counter()
    assert_unauthorized(with_headers(rig, f"authorization: Bearer {prefix}{attack}\r\n".encode()))
    assert time.perf_counter() - started < 2


GOOD: Mapping[str, bytes] = {
    "bearer": b"authorization: Bearer %b\r\n" % KEY_BYTES,
    "lower case scheme": b"authorization: bearer %b\r\n" % KEY_BYTES,
    "x-api-key": b"x-api-key: %b\r\n" % KEY_BYTES,
    "api-key": b"api-key: %b\r\n" % KEY_BYTES,
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_key_in_each_place(rig: Rig, name: str) -> None:
    rig.upstream.slot("fastone").script(act.golden_reply("openai/chat_response.json"))
    assert with_headers(rig, GOOD[name]).status == 200


def test_case_13_a_bad_key_is_refused_before_its_body_is_sent(rig: Rig) -> None:
    with rig.gateway.client() as client:
        client.send(
            b"POST %b HTTP/1.1\r\nhost: x\r\nauthorization: Bearer wrong-key-0123456789\r\n"
            b"content-length: 1000000\r\nexpect: 100-continue\r\n\r\n" % CHAT.encode()
        )
        assert client.receive_some(12) == b"HTTP/1.1 401"


def test_case_34_a_key_limited_to_a_model(rig: Rig) -> None:
    slot = rig.exact()
    slot.script(act.golden_reply("openai/chat_response.json"))
    rig.upstream.slot("fastone").script(act.golden_reply("openai/chat_response.json"))
    refused = rig.gateway.post(CHAT, chat_body(model_of(slot)), key=LIMITED_KEY)
    assert refused.status == 403
    assert refused.error["code"] == "permission_denied"
    assert slot.requests == []
    assert rig.gateway.post(CHAT, chat_body("fast"), key=LIMITED_KEY).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models",
        "/models",
        "/v1/models/fast",
        CHAT,
        "/chat/completions",
        "/v1/embeddings",
        "/v1/completions",
    ],
)
def test_every_route_needs_a_key(rig: Rig, path: str) -> None:
    method = "GET" if "models" in path else "POST"
    body = b"{}" if method == "POST" else b""
    assert_unauthorized(rig.gateway.send(method, path, body, {"content-type": "application/json"}))


def test_health_tells_nothing(rig: Rig) -> None:
    told = {
        "/health/live": {"status": "ok"},
        "/health/ready": {"status": "ok", "configuration": "current", "limits": "exact"},
    }
    for path, all_of_it in told.items():
        response = rig.gateway.send("GET", path)
        assert response.status == 200
        assert response.json == all_of_it
