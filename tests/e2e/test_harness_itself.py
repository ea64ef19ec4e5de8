"""The harness does what tests rely on: the tools are tried against each other, without a gateway."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from tests.harness import actions as act
from tests.harness.client import Client
from tests.harness.secrets import Secrets, canary
from tests.harness.upstream import Gate, Slot, Upstream


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture
def slot(upstream: Upstream, request: pytest.FixtureRequest) -> Slot:
    return upstream.slot(request.node.name)


def body_for(slot: Slot) -> bytes:
    return json.dumps({"model": slot.name}).encode()


def ask(upstream: Upstream, slot: Slot) -> Client:
    client = Client(upstream.port)
    client.request("POST", "/v1/chat/completions", body_for(slot))
    return client


def test_a_recorded_stream_arrives_whole(upstream: Upstream, slot: Slot) -> None:
    slot.script(act.golden_stream("openai/chat_stream_text.sse"))
    with ask(upstream, slot) as client:
        assert client.read_head() == 200
        events = list(client.events())
    assert events[-1].data == "[DONE]"
    assert len(events) == len(act.events_of("openai/chat_stream_text.sse"))
    assert slot.last.json == {"model": slot.name}
    assert slot.last.path == "/v1/chat/completions"


def test_a_gate_holds_the_rest_back(upstream: Upstream, slot: Slot) -> None:
    gate = Gate()
    first, *rest = act.events_of("openai/chat_stream_text.sse")
    slot.script([*act.stream_of([first], []), act.wait_for(gate), *map(act.chunk, rest), act.chunk(b"")])
    with ask(upstream, slot) as client:
        client.read_head()
        events = client.events()
        assert next(events).json["choices"]
        assert slot.last.finished_at is None
        gate.open()
        assert [event.data for event in events][-1] == "[DONE]"


@pytest.mark.parametrize("leave", [Client.close, Client.reset])
def test_an_abort_is_noticed(upstream: Upstream, slot: Slot, leave: object) -> None:
    assert callable(leave)
    slot.script([act.hang])
    client = ask(upstream, slot)
    slot.wait_request()
    leave(client)
    assert slot.wait_abort() >= slot.last.at


def test_a_reset_is_a_reset(upstream: Upstream, slot: Slot) -> None:
    slot.script([act.reset])
    with ask(upstream, slot) as client, pytest.raises(ConnectionResetError):
        client.read_head()


def test_a_flood_stops_at_a_reader_who_does_not_read(upstream: Upstream, slot: Slot) -> None:
    slot.script(act.endless_line())
    client = Client(upstream.port, receive_buffer=16_384)
    client.request("POST", "/x", body_for(slot))
    client.receive_some()
    received = slot.wait_request()
    client.close()
    slot.wait_abort()
    assert received.bytes_sent < 4 << 20


def test_keep_alive_serves_two_requests_on_one_connection(upstream: Upstream, slot: Slot) -> None:
    slot.script(act.json_reply({"n": 1}), act.and_close(act.json_reply({"n": 2})))
    with ask(upstream, slot) as client:
        assert client.read().json == {"n": 1}
        client.request("POST", "/again", body_for(slot))
        assert client.read().json == {"n": 2}
        assert client.at_eof()
    assert slot.requests[0].connection == slot.requests[1].connection


def test_only_loopback_can_be_reached() -> None:
    with socket.socket() as outside, pytest.raises(AssertionError, match="only loopback"):
        outside.connect(("192.0.2.1", 80))


def test_a_planted_secret_is_found() -> None:
    register = Secrets()
    register.plant(canary("SOME_KEY"))
    register.assert_absent(b"nothing here", "a log")
    with pytest.raises(AssertionError, match="a log shows"):
        register.assert_absent(b"x " + canary("SOME_KEY").encode(), "a log")
