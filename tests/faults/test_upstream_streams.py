"""Cases 71 to 82: what can be wrong with a stream, and what the client gets instead."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import actions as act
from tests.harness.client import Response
from tests.harness.gateway import KEY, chat_body
from tests.harness.lanes import ANSWER, LANES, Lane
from tests.harness.rig import Rig, model_of, provider_of
from tests.harness.streams import Streamed, stream_chat
from tests.harness.upstream import Action, Gate, Slot

TEXT = "openai/chat_stream_text.sse"
IDLE = 0.6
"""Seconds that the gateway waits for more of a stream."""


@pytest.fixture(params=list(LANES))
def lane(request: pytest.FixtureRequest) -> Lane:
    return LANES[request.param]


@pytest.fixture(params=[Rig.plain, pytest.param(Rig.core, marks=pytest.mark.slow)], ids=["lean", "httpx2"])
def carried(request: pytest.FixtureRequest, rig: Rig) -> Slot:
    """A slot behind each of the transports."""
    slot: Slot = request.param(rig)
    return slot


def refused(rig: Rig, slot: Slot, action: Action, status: int, code: str, **recorded: Any) -> Response:
    """Make a streamed call that fails before its first event: a real status, and no event stream."""
    slot.script(action)
    response = rig.gateway.chat(model_of(slot), stream=True)
    assert (response.status, response.error["code"]) == (status, code), response
    rig.gateway.record(
        response.request_id,
        **{"status": status, "error_type": code, "stream": True, "attempts": 1, **recorded},
    )
    return response


def rescued(rig: Rig, action: Action) -> None:
    """Make a streamed call whose first target fails before its first event and whose second answers."""
    pair = rig.pair()
    pair.first.script(action)
    pair.second.script(act.golden_stream(TEXT))
    streamed = stream_chat(rig.gateway, pair.model)
    assert (streamed.text, streamed.done) == (ANSWER, True)
    assert streamed.headers["x-switchgear-attempts"] == "2"
    assert streamed.headers["x-switchgear-provider"] == provider_of(pair.second)
    rig.gateway.record(
        streamed.request_id,
        outcome="success",
        attempts=2,
        fallback=True,
        stream=True,
        provider=provider_of(pair.second),
        input_tokens=24,
        output_tokens=8,
        usage_source="provider",
    )


def broken(rig: Rig, slot: Slot, action: Action, code: str, outcome: str) -> Streamed:
    """Make a streamed call that fails after its first event: one error event, no `[DONE]`."""
    slot.script(action)
    streamed = stream_chat(rig.gateway, model_of(slot))
    assert streamed.status == 200
    assert streamed.error["code"] == code
    assert streamed.error["message"]
    assert streamed.finish_reasons == [], "a finish reason was invented"
    line = rig.gateway.record(
        streamed.request_id,
        status=200,
        outcome=outcome,
        error_type=code,
        stream=True,
        attempts=1,
        usage_source="estimated",
    )
    assert line["input_tokens"] > 0
    assert line["output_tokens"] > 0
    assert len(slot.requests) == 1, "a stream that had begun was tried again"
    return streamed


HANGS: dict[str, Action] = {
    "no head": [act.hang],
    "head only": act.stream_of([], [act.hang]),
    "comments only": act.stream_of([b": ping\n\n"] * 3, [act.hang]),
}


@pytest.mark.parametrize("name", HANGS)
def test_case_71_hang_before_the_first_event(rig: Rig, name: str) -> None:
    refused(rig, rig.plain(), HANGS[name], 504, "upstream_timeout", usage_source="estimated")
    rescued(rig, HANGS[name])


def test_case_71_comments_do_not_count_as_events(rig: Rig) -> None:
    ping = [step for _ in range(40) for step in (act.chunk(b": ping\n\n"), act.stall(0.1))]
    refused(rig, rig.exact(), act.stream_of([], [*ping, act.hang]), 504, "upstream_timeout")


def test_case_71_anthropic_pings_do_not_count_as_content(rig: Rig) -> None:
    start = act.events_of("anthropic/stream_text.sse")[0]
    slot = rig.anthropic()
    slot.script(act.stream_of([start], [act.hang]))
    with rig.gateway.client() as client:
        client.post("/v1/chat/completions", chat_body(model_of(slot), stream=True), KEY)
        client.read_head()
        body = client.read_body()
    # Whether the role alone commits the answer is the dialect's choice; either way the client learns of the timeout.
    assert b"upstream_timeout" in body
    assert b"[DONE]" not in body


def first_error(type_: str, code: str | None = None) -> Action:
    error = {"message": "the provider says no", "type": type_, "param": None, "code": code}
    return act.stream_of([b"data: " + json.dumps({"error": error}).encode() + b"\n\n"])


@pytest.mark.parametrize(
    ("type_", "code", "status", "expected"),
    [
        ("invalid_request_error", "invalid_value", 400, "invalid_value"),
        ("invalid_request_error", "context_length_exceeded", 400, "context_length_exceeded"),
        ("rate_limit_error", "rate_limit_exceeded", 429, "upstream_rate_limited"),
        ("server_error", None, 502, "upstream_error"),
    ],
)
@pytest.mark.parametrize("exact", [True, False], ids=["exact", "plain"])
def test_case_72_the_first_event_is_an_error(
    rig: Rig, exact: bool, type_: str, code: str | None, status: int, expected: str
) -> None:
    slot = rig.exact() if exact else rig.plain()
    # The log tells the class of the error, one of a fixed set: a provider may make up codes.
    told = "invalid_request" if expected == "invalid_value" else expected
    refused(rig, slot, first_error(type_, code), status, expected, error_type=told)


def test_case_72_an_error_event_of_anthropic(rig: Rig) -> None:
    *_, error = act.events_of("anthropic/stream_error_overloaded.sse")
    refused(rig, rig.anthropic(), act.stream_of([error]), 503, "upstream_overloaded")


@pytest.mark.parametrize("type_", ["rate_limit_error", "server_error"])
def test_case_72_the_fallback_answers(rig: Rig, type_: str) -> None:
    rescued(rig, first_error(type_, "rate_limit_exceeded" if type_ == "rate_limit_error" else None))


def test_case_72_a_wrong_request_does_not_fall_back(rig: Rig) -> None:
    pair = rig.pair()
    pair.first.script(first_error("invalid_request_error", "invalid_value"))
    response = rig.gateway.chat(pair.model, stream=True)
    assert response.status == 400
    assert pair.second.requests == []


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "plain"])
def test_case_73_error_event_midstream(rig: Rig, exact: bool) -> None:
    slot = rig.exact() if exact else rig.plain()
    action = act.golden_stream("openai/chat_stream_error_midway.sse")
    streamed = broken(rig, slot, action, "upstream_error", "upstream_error")
    assert streamed.text == "The capital of"
    assert "The server had an error" in streamed.error["message"]


def test_case_73_error_event_of_anthropic_midstream(rig: Rig) -> None:
    action = act.golden_stream("anthropic/stream_error_overloaded.sse")
    streamed = broken(rig, rig.anthropic(), action, "upstream_overloaded", "upstream_error")
    assert streamed.text == "The capital of France"


def test_case_73_an_error_with_done_behind_it(rig: Rig) -> None:
    events = [*act.events_of("openai/chat_stream_error_midway.sse"), b"data: [DONE]\n\n"]
    broken(rig, rig.exact(), act.stream_of(events), "upstream_error", "upstream_error")


CUTS: dict[str, Action] = {"RST": [act.reset], "FIN": [act.close], "EOF": [act.chunk(b"")]}


@pytest.mark.parametrize("cut", ["FIN", "EOF"])
def test_case_74_cut_off(rig: Rig, lane: Lane, cut: str) -> None:
    broken(rig, lane.take(rig), lane.text_stream(CUTS[cut], first=5), "upstream_disconnected", "truncated")


@pytest.mark.parametrize("cut", ["RST", "FIN", "EOF"])
def test_case_74_cut_off_inside_an_event(rig: Rig, carried: Slot, cut: str) -> None:
    half = act.chunk(b'data: {"id":"chatcmpl-DAw3qZ0rV1xTgk2yJ7sQmN8pLc4fB","obj')
    gate = Gate()
    ending = [half, act.wait_for(gate), *CUTS[cut]]
    slot = carried
    slot.script(act.golden_stream(TEXT, ending, first=4))
    with rig.gateway.client() as client:
        client.post("/v1/chat/completions", chat_body(model_of(slot), stream=True), KEY)
        client.read_head()
        events = client.events()
        seen = [next(events)]
        gate.open()
        seen += events
    streamed = Streamed(200, client.headers, seen)
    assert streamed.error["code"] == "upstream_disconnected"
    rig.gateway.record(streamed.request_id, outcome="truncated", status=200)


@pytest.mark.parametrize("cut", ["RST", "FIN", "EOF"])
def test_case_74_cut_off_before_the_first_event(rig: Rig, cut: str) -> None:
    refused(rig, rig.plain(), act.stream_of([], CUTS[cut]), 502, "upstream_disconnected")
    rescued(rig, act.stream_of([], CUTS[cut]))


@pytest.mark.parametrize("framing", [b"zz\r\n", b"-1\r\n", b"5\r\nabcdefgh\r\n", b"ffffffffffffffffff\r\n"])
def test_case_74_the_framing_breaks_midway(rig: Rig, carried: Slot, framing: bytes) -> None:
    gate = Gate()
    slot = carried
    slot.script(act.golden_stream(TEXT, [act.wait_for(gate), act.send(framing), act.hang], first=4))
    with rig.gateway.client() as client:
        client.post("/v1/chat/completions", chat_body(model_of(slot), stream=True), KEY)
        client.read_head()
        events = client.events()
        seen = [next(events)]
        gate.open()
        opened = time.monotonic()
        seen += events
    streamed = Streamed(200, client.headers, seen)
    assert streamed.finish_reasons == []
    if provider_of(slot) == "core" and framing.startswith(b"f"):
        # To httpx2's parser that is a chunk of 4,700 exabytes, which it waits for.
        assert streamed.error["code"] == "upstream_timeout"
        return
    assert streamed.error["code"] == "upstream_disconnected"
    assert seen[-1].at - opened < IDLE, "it was told of only when the time of a silent provider was over"


@pytest.mark.parametrize("ending", ["EOF", "FIN"])
@pytest.mark.parametrize("exact", [True, False], ids=["exact", "plain"])
def test_case_75_eof_after_finish_reason(rig: Rig, exact: bool, ending: str) -> None:
    slot = rig.exact() if exact else rig.plain()
    *events, done = act.events_of(TEXT)
    assert done == b"data: [DONE]\n\n"
    slot.script(act.stream_of(events, CUTS[ending]))
    streamed = stream_chat(rig.gateway, model_of(slot))
    assert (streamed.text, streamed.done, streamed.finish_reasons) == (ANSWER, True, ["stop"])
    rig.gateway.record(
        streamed.request_id, outcome="success", status=200, input_tokens=24, usage_source="provider"
    )


def test_case_75_nothing_comes_after_done(rig: Rig) -> None:
    slot = rig.exact()
    slot.script(act.golden_stream(TEXT, [act.chunk(b'data: {"late":1}\n\n'), act.hang]))
    streamed = stream_chat(rig.gateway, model_of(slot))
    assert streamed.done
    assert streamed.text == ANSWER


def test_the_stream_stops_in_the_middle(rig: Rig, lane: Lane) -> None:
    slot = lane.take(rig)
    broken(rig, slot, lane.text_stream([act.hang], first=5), "upstream_timeout", "upstream_error")
    slot.wait_abort()


SYNTAX = {
    "CRLF": lambda data: data.replace(b"\n", b"\r\n"),
    "CR": lambda data: data.replace(b"\n", b"\r"),
    "byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "comments": lambda data: data.replace(b"data: ", b": hello\n:\ndata: "),
    "no space": lambda data: data.replace(b"data: ", b"data:"),
    "other fields": lambda data: data.replace(
        b"data: ", b"event: message\nid: 7\nretry: 10\nwhat: ever\ndata: "
    ),
    "id with NUL": lambda data: data.replace(b"data: ", b"id: a\x00b\ndata: "),
    "two lines": lambda data: data.replace(b',"object"', b',\ndata: "object"'),
    "empty data": lambda data: data.replace(b"\n\n", b"\n\ndata\n\ndata:\n\n", 3),
}


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "plain"])
@pytest.mark.parametrize("name", SYNTAX)
def test_case_77_the_syntax_of_event_streams(rig: Rig, name: str, exact: bool) -> None:
    slot = rig.exact() if exact else rig.plain()
    slot.script(act.stream_of([SYNTAX[name](act.golden(TEXT))]))
    streamed = stream_chat(rig.gateway, model_of(slot))
    assert (streamed.text, streamed.done, streamed.finish_reasons) == (ANSWER, True, ["stop"])


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_case_77_pieces_of_any_size(rig: Rig, lane: Lane, size: int) -> None:
    slot = lane.take(rig)
    slot.script(act.sliced_stream(lane.stream, size))
    streamed = stream_chat(rig.gateway, model_of(slot))
    assert (streamed.text, streamed.done) == (ANSWER, True)


def test_case_77_characters_cut_in_pieces(rig: Rig) -> None:
    slot = rig.plain()
    data = act.golden(TEXT).replace(b" France", " Fränce 🗼".encode())
    slot.script(act.stream_of([data[at : at + 1] for at in range(len(data))]))
    assert stream_chat(rig.gateway, model_of(slot)).text == ANSWER.replace("France", "Fränce 🗼")


def test_case_77_the_last_blank_line_is_missing(rig: Rig) -> None:
    slot = rig.exact()
    slot.script(act.stream_of([act.golden(TEXT).removesuffix(b"\n\n")]))
    streamed = stream_chat(rig.gateway, model_of(slot))
    assert (streamed.text, streamed.done) == (ANSWER, True)


@pytest.mark.parametrize(
    "take",
    [Rig.exact, Rig.plain, pytest.param(Rig.core, marks=pytest.mark.slow)],
    ids=["exact", "plain", "httpx2"],
)
def test_case_80_a_line_without_end(rig: Rig, take: Callable[[Rig], Slot]) -> None:
    slot = take(rig)
    events = act.events_of(TEXT)[:2]
    ending = [act.chunk(b"data: "), act.flood(b"a" * 65_536, 1 << 34)]
    before = rig.gateway.resident_bytes()
    broken(rig, slot, act.stream_of(events, ending), "upstream_response_too_large", "upstream_error")
    slot.wait_abort()
    assert slot.last.bytes_sent < 16 << 20
    assert rig.gateway.resident_bytes() - before < 8 << 20


def test_case_80_an_event_without_end(rig: Rig) -> None:
    slot = rig.plain()
    events = act.events_of(TEXT)[:2]
    ending = [act.flood(b"data: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" * 1000, 1 << 34)]
    broken(rig, slot, act.stream_of(events, ending), "upstream_response_too_large", "upstream_error")
    slot.wait_abort()
    assert slot.last.bytes_sent < 32 << 20


def test_case_80_many_tiny_events(rig: Rig) -> None:
    slot = rig.exact()
    first, second, *_ = act.events_of(TEXT)
    *_, finish, usage, done = act.events_of(TEXT)
    tiny = [second.replace(b'"The"', b'"x"') * 100] * 100
    slot.script(act.stream_of([first, *tiny, finish, usage, done]))
    before = rig.gateway.resident_bytes()
    streamed = stream_chat(rig.gateway, model_of(slot))
    assert streamed.text == "x" * 10_000
    assert rig.gateway.resident_bytes() - before < 16 << 20


@pytest.mark.parametrize("name", ["HTML", "empty", "cut", "204", "JSON"])
def test_case_66_200_that_is_no_stream(rig: Rig, name: str) -> None:
    actions = {
        "HTML": act.html(),
        "empty": act.empty(),
        "cut": act.cut_json(),
        "204": act.no_content(),
        "JSON": act.golden_reply("openai/chat_response.json"),
    }
    refused(rig, rig.plain(), actions[name], 502, "upstream_invalid_response")


@pytest.mark.parametrize("name", ["not JSON", "array", "number"])
def test_an_event_that_cannot_be_read(rig: Rig, name: str) -> None:
    bad = {"not JSON": b"data: {oops\n\n", "array": b"data: []\n\n", "number": b"data: 7\n\n"}[name]
    events = [*act.events_of(TEXT)[:3], bad, *act.events_of(TEXT)[3:]]
    broken(rig, rig.plain(), act.stream_of(events), "upstream_invalid_response", "upstream_error")
