"""Cases 55, 59, 61, 64 to 66 and 68: what can be wrong with a whole answer, and what the client gets instead."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.harness import actions as act
from tests.harness.client import Response
from tests.harness.lanes import ANSWER
from tests.harness.rig import Pair, Rig, credential_of, model_of, provider_of
from tests.harness.upstream import Action, Slot, Upstream


def failed(rig: Rig, slot: Slot, action: Action, status: int, code: str, **recorded: Any) -> Response:
    """Make a call whose only target does this; check status, code, form, log line and row."""
    slot.script(action)
    response = rig.gateway.chat(model_of(slot))
    assert (response.status, response.error["code"]) == (status, code), response
    assert str(rig.upstream.port) not in response.error["message"], "the message shows the upstream's address"
    rig.gateway.record(
        response.request_id,
        status=status,
        error_type=code,
        provider=provider_of(slot),
        **{"attempts": 1, "fallback": False, "stream": False, "outcome": "upstream_error", **recorded},
    )
    return response


def rescued(rig: Rig, pair: Pair, action: Action) -> Response:
    """Make a call whose first target does this and whose second answers; check that nobody notices."""
    pair.first.script(action)
    pair.second.script(act.golden_reply("openai/chat_response.json"))
    response = rig.gateway.chat(pair.model)
    assert response.status == 200, response
    assert response.json["choices"][0]["message"]["content"] == ANSWER
    assert response.headers["x-switchgear-provider"] == provider_of(pair.second)
    assert response.headers["x-switchgear-attempts"] == "2"
    line = rig.gateway.record(
        response.request_id,
        outcome="success",
        status=200,
        attempts=2,
        fallback=True,
        provider=provider_of(pair.second),
        usage_source="provider",
        input_tokens=24,
        output_tokens=8,
    )
    tried = [attempt["provider"] for attempt in line["tries"]]
    assert tried == [provider_of(pair.first), provider_of(pair.second)]
    return response


@pytest.fixture(params=[Rig.exact, pytest.param(Rig.core, marks=pytest.mark.slow)], ids=["lean", "httpx2"])
def carried(request: pytest.FixtureRequest, rig: Rig) -> Slot:
    """A slot behind each of the transports."""
    slot: Slot = request.param(rig)
    return slot


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_case_55_redirects_are_not_followed(rig: Rig, carried: Slot, status: int) -> None:
    with Upstream() as elsewhere:
        failed(rig, carried, act.redirect(status, f"{elsewhere.url}/x"), 502, "upstream_redirect")
        assert elsewhere.connections == 0


def test_case_59_connection_refused_and_the_fallback_is_healthy(rig: Rig) -> None:
    slot = rig.upstream.slot("rescuer")
    slot.script(act.golden_reply("openai/chat_response.json"))
    response = rig.gateway.chat("refused-then-ok")
    assert response.status == 200
    assert response.headers["x-switchgear-attempts"] == "2"
    line = rig.gateway.record(
        response.request_id, outcome="success", attempts=2, fallback=True, usage_source="provider"
    )
    assert [attempt["outcome"] for attempt in line["tries"]] == ["upstream_unreachable", "success"]
    assert line["tries"][0]["duration_ms"] < 50


def test_case_59_connection_refused_and_no_fallback(rig: Rig) -> None:
    response = rig.gateway.chat("refused/any")
    assert (response.status, response.error["code"]) == (502, "upstream_unreachable")
    rig.gateway.record(response.request_id, outcome="upstream_error", status=502, usage_source="none")


def test_case_61_accepts_and_never_answers(rig: Rig, carried: Slot) -> None:
    slot = carried
    started = time.monotonic()
    failed(rig, slot, [act.hang], 504, "upstream_timeout", usage_source="estimated")
    assert 0.5 < time.monotonic() - started < 5
    assert len(slot.requests) == 1, "a timeout was tried again on the same provider, which may bill it"
    slot.wait_abort()


def test_case_61_stops_in_the_middle(rig: Rig) -> None:
    slot = rig.plain()
    body = act.golden("openai/chat_response.json")
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    failed(rig, slot, [act.head(200, headers), act.send(body[:50]), act.hang], 504, "upstream_timeout")


@pytest.mark.parametrize(
    "first", [[act.reset], [act.close], act.short_of_length()], ids=["RST", "FIN", "cut"]
)
def test_the_connection_breaks(rig: Rig, carried: Slot, first: Action) -> None:
    carried.script(first)
    response = rig.gateway.chat(model_of(carried))
    assert (response.status, response.error["code"]) == (502, "upstream_disconnected")
    rescued(rig, rig.pair(), first)


@pytest.mark.parametrize("status", [401, 403])
def test_case_64_our_credential_is_refused(rig: Rig, status: int) -> None:
    slot = rig.lone()
    secret = credential_of(provider_of(slot))
    telling = act.error_reply(status, f"Incorrect API key provided: {secret}", "invalid_api_key")
    response = failed(rig, slot, telling, 502, "upstream_auth_error", usage_source="none")
    assert "Incorrect API key" not in response.error["message"]


@pytest.mark.parametrize("status", [401, 403])
def test_case_64_the_next_target_is_tried(rig: Rig, status: int) -> None:
    rescued(rig, rig.lone_pair(), act.error_reply(status))


@pytest.mark.parametrize("status", [400, 422])
def test_case_65_the_clients_own_mistake(rig: Rig, status: int) -> None:
    pair = rig.pair()
    pair.first.script(act.error_reply(status, "'temperature' must be at most 2", "invalid_value"))
    response = rig.gateway.chat(pair.model)
    assert (response.status, response.error["code"]) == (status, "invalid_value")
    assert "'temperature' must be at most 2" in response.error["message"]
    assert len(pair.first.requests) == 1
    assert pair.second.requests == []
    rig.gateway.record(response.request_id, status=status, outcome="refused", attempts=1, usage_source="none")


def test_case_65_the_providers_message_is_redacted(rig: Rig) -> None:
    slot = rig.exact()
    secret = credential_of(provider_of(slot))
    slot.script(act.error_reply(400, f"bad value; you sent authorization: Bearer {secret}", "invalid_value"))
    response = rig.gateway.chat(model_of(slot))
    assert response.status == 400
    assert secret not in response.error["message"]


def test_case_65_the_provider_does_not_know_the_model(rig: Rig) -> None:
    slot = rig.exact()
    action = act.golden_reply("openai/error_404_model.json", 404)
    response = failed(rig, slot, action, 404, "model_not_found", outcome="refused")
    assert "gpt-9" in response.error["message"]


NO_ANSWERS: dict[str, Action] = {
    "HTML": act.html(),
    "empty": act.empty(),
    "cut": act.cut_json(),
    "204": act.no_content(),
    "array": act.json_reply([]),
    "other object": act.json_reply({"hello": "world"}),
    "no choices": act.json_reply({"object": "chat.completion", "choices": "none"}),
    "gzip": act.gzip_reply(act.golden("openai/chat_response.json")),
    "not UTF-8": act.reply(b'{"choices":[{"message":{"content":"\xff"}}]}'),
}


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_case_66_200_that_is_no_answer(rig: Rig, name: str) -> None:
    failed(rig, rig.plain(), NO_ANSWERS[name], 502, "upstream_invalid_response", usage_source="none")


@pytest.mark.parametrize("name", ["HTML", "empty", "cut", "204", "other object", "gzip"])
def test_case_66_200_that_is_no_answer_passed_through(rig: Rig, name: str) -> None:
    failed(rig, rig.exact(), NO_ANSWERS[name], 502, "upstream_invalid_response", usage_source="none")


@pytest.mark.parametrize("name", ["HTML", "empty", "cut"])
def test_case_66_anthropic_200_that_is_no_answer(rig: Rig, name: str) -> None:
    failed(rig, rig.anthropic(), NO_ANSWERS[name], 502, "upstream_invalid_response", usage_source="none")


@pytest.mark.parametrize("name", ["HTML", "204"])
def test_case_66_the_fallback_answers(rig: Rig, name: str) -> None:
    rescued(rig, rig.pair(), NO_ANSWERS[name])


def test_case_66_an_error_under_200(rig: Rig) -> None:
    error = act.json_reply(
        {"error": {"message": "oops", "type": "server_error", "param": None, "code": None}}
    )
    slot = rig.exact()
    slot.script(error)
    response = rig.gateway.chat(model_of(slot))
    assert response.status == 502
    assert response.error["code"] in {"upstream_invalid_response", "upstream_error"}
    rescued(rig, rig.pair(), error)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 520, 529])
def test_a_provider_in_trouble_is_passed_over(rig: Rig, status: int) -> None:
    rescued(rig, rig.pair(), act.error_reply(status))


def test_an_html_error_page_is_read_leniently(rig: Rig) -> None:
    failed(rig, rig.exact(), act.html(502), 502, "upstream_error", usage_source="none")


def test_case_68_a_body_without_end(rig: Rig) -> None:
    slot = rig.upstream.slot("roomy")
    before = rig.gateway.resident_bytes()
    failed(rig, slot, act.endless_body(), 502, "upstream_response_too_large")
    slot.wait_abort()
    assert slot.last.bytes_sent < 80 << 20
    assert rig.gateway.resident_bytes() - before < (64 + 32) << 20


def test_case_68_a_body_that_says_how_large_it_is(rig: Rig) -> None:
    slot = rig.upstream.slot("roomy")
    huge = [act.head(200, {"content-type": "application/json", "content-length": str(10 << 30)}), act.hang]
    failed(rig, slot, huge, 502, "upstream_response_too_large")


def test_case_68_a_large_body_within_the_bound_passes(rig: Rig) -> None:
    slot = rig.upstream.slot("roomy")
    body = act.golden("openai/chat_response.json").replace(ANSWER.encode(), b"a" * (11 << 20))
    slot.script(act.reply(body))
    response = rig.gateway.chat(model_of(slot))
    assert response.status == 200
    assert response.body == body


def test_case_68_a_bomb_is_not_inflated(rig: Rig, carried: Slot) -> None:
    before = rig.gateway.resident_bytes()
    failed(rig, carried, act.gzip_reply(b"0" * (64 << 20)), 502, "upstream_invalid_response")
    assert rig.gateway.resident_bytes() - before < 32 << 20


BAD_HTTP: dict[str, bytes] = {
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "no status": b"HTTP/1.1\r\n\r\n",
    "strange status": b"HTTP/1.1 999999 OK\r\ncontent-length: 2\r\n\r\n{}",
    "header without colon": b"HTTP/1.1 200 OK\r\nhello there\r\ncontent-length: 2\r\n\r\n{}",
    "NUL in a header": b"HTTP/1.1 200 OK\r\nx: a\x00b\r\ncontent-length: 2\r\n\r\n{}",
    "length is no number": b"HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\n{}",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    "bad chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "long header": b"HTTP/1.1 200 OK\r\nx: " + b"a" * 100_000 + b"\r\ncontent-length: 2\r\n\r\n{}",
    "header without end": b"HTTP/1.1 200 OK\r\nx: " + b"a" * 10_000_000,
    "200,000 headers": b"HTTP/1.1 200 OK\r\n"
    + b"".join(b"x-%d: 1\r\n" % n for n in range(200_000))
    + b"\r\n",
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", BAD_HTTP)
def test_case_68_what_is_no_http(rig: Rig, carried: Slot, name: str, stream: bool) -> None:
    """Whatever bytes come back, the fault is the provider's, never a 500 of ours."""
    slot = carried
    slot.script([act.send(BAD_HTTP[name]), act.hang])
    before = rig.gateway.resident_bytes()
    response = rig.gateway.chat(model_of(slot), stream=stream)
    assert response.status in {502, 504}, response
    assert response.error["code"] in {
        "upstream_invalid_response",
        "upstream_response_too_large",
        "upstream_disconnected",
        "upstream_timeout",
    }
    # A body whose framing breaks is one that was cut off, unless it came at once with its head.
    cut = name == "bad chunk" and response.error["code"] == "upstream_disconnected"
    rig.gateway.record(response.request_id, outcome="truncated" if cut else "upstream_error", attempts=1)
    assert rig.gateway.resident_bytes() - before < 64 << 20


def test_case_68_an_error_body_without_end(rig: Rig, carried: Slot) -> None:
    slot = carried
    start = act.head(500, {"content-type": "application/json", "transfer-encoding": "chunked"})
    failed(rig, slot, [start, act.flood(b"a" * 65_536, 1 << 34)], 502, "upstream_error")
    slot.wait_abort()
    assert slot.last.bytes_sent < 16 << 20


@pytest.mark.parametrize("cut", [act.close, act.reset], ids=["FIN", "RST"])
def test_a_kept_connection_that_was_closed_is_not_an_error(rig: Rig, cut: Any) -> None:
    slot = rig.upstream.slot(f"closer-{cut.__name__}")
    answer = act.golden_reply("openai/chat_response.json")
    slot.script([*answer, cut], answer)
    upstream, gateway = rig.upstream, rig.gateway
    others = upstream.open_connections - upstream.connections
    assert gateway.chat(model_of(slot)).status == 200
    gateway.eventually(lambda: upstream.open_connections - upstream.connections < others, "the close")
    # What comes after it has been seen after it.
    assert gateway.send("GET", "/health/live").status == 200
    assert gateway.chat(model_of(slot)).status == 200
    assert slot.requests[0].connection != slot.requests[1].connection


def test_connections_are_kept(rig: Rig) -> None:
    slot = rig.upstream.slot("keeper")
    slot.script(act.golden_reply("openai/chat_response.json"))
    for _ in range(3):
        assert rig.gateway.chat(model_of(slot)).status == 200
    assert len({received.connection for received in slot.requests}) == 1
