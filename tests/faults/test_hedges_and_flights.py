"""Two targets raced and one answer shared, between real processes: who is let go, and when."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.harness import actions as act
from tests.harness.client import Client
from tests.harness.gateway import KEY, LIMITED_KEY, chat_body
from tests.harness.rig import Rig
from tests.harness.streams import read_stream
from tests.harness.upstream import Gate

pytestmark = pytest.mark.slow

CHAT = "/v1/chat/completions"
AT_ONCE = 0.25
"""Seconds within which a provider must see that its answer is no longer wanted."""
TEXT = "openai/chat_stream_text.sse"
SAME = {"temperature": 0, "stream": True}


def ask(rig: Rig, model: str, request_id: str, **fields: Any) -> Client:
    client = rig.gateway.client()
    client.post(CHAT, chat_body(model, **fields), KEY, {"x-request-id": request_id})
    return client


def until_content(client: Client) -> None:
    assert client.read_head() == 200
    assert next(event for event in client.events() if event.data)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_slow_one_is_let_go_as_soon_as_the_other_answers(rig: Rig, stream: bool) -> None:
    pair, name = rig.hedged(), f"hedge-{stream}"
    pair.first.script([act.hang])
    answer = act.golden_stream(TEXT) if stream else act.golden_reply("openai/chat_response.json")
    pair.second.script(answer)
    with ask(rig, pair.model, name, stream=stream) as client:
        response = read_stream(client) if stream else client.read()
        answered = time.monotonic()
    assert response.headers["x-switchgear-provider"] == "pairb"
    assert response.headers["x-switchgear-attempts"] == "2"
    assert pair.first.wait_abort() - answered < AT_ONCE
    line = rig.gateway.record(name, outcome="success", attempts=2, provider="pairb", usage_source="provider")
    assert [attempt["outcome"] for attempt in line["tries"]] == ["hedge_lost", "success"]
    metrics = rig.gateway.metrics()
    for event in ("started", "won"):
        assert metrics[f'switchgear_hedges_total{{event="{event}",model="{pair.model}"}}'] == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_case_84_leaving_a_race_lets_both_go(rig: Rig, stream: bool) -> None:
    pair, name = rig.hedged(), f"case-84-hedge-{stream}"
    for slot in (pair.first, pair.second):
        slot.script([act.hang])
    client = ask(rig, pair.model, name, stream=stream)
    pair.second.wait_request()
    left_at = time.monotonic()
    client.reset()
    assert pair.first.wait_abort() - left_at < AT_ONCE
    assert pair.second.wait_abort() - left_at < AT_ONCE
    rig.gateway.record(name, outcome="client_cancelled", status=499, attempts=2, usage_source="estimated")


def test_a_flight_goes_on_without_its_leader_and_late_ones_get_all(rig: Rig) -> None:
    model, slot = rig.shared()
    gate, events = Gate(), act.events_of(TEXT)
    slot.script(act.stream_of(events[:3], [act.wait_for(gate), *map(act.chunk, events[3:]), act.chunk(b"")]))
    leader = ask(rig, model, "flight-leader", **SAME)
    until_content(leader)
    with ask(rig, model, "flight-late", **SAME) as late:
        assert late.read_head() == 200
        leader.reset()
        # A whole round trip later, the gateway has seen it too.
        assert rig.gateway.in_flight() == 2
        gate.open()
        followed = [event.data for event in late.events()]
    assert followed == [
        event.decode().removeprefix("data: ").strip() for event in events if b'"usage":{' not in event
    ]
    assert len(slot.requests) == 1
    assert slot.last.aborted_at is None
    paid = rig.gateway.record(
        "flight-leader", outcome="client_cancelled", usage_source="provider", cache=None
    )
    free = rig.gateway.record(
        "flight-late", outcome="success", cache="single_flight", cost_nano=0, attempts=0
    )
    assert paid["output_tokens"] > 0
    assert free["output_tokens"] is None


def test_case_85_the_last_one_s_leaving_lets_the_provider_go(rig: Rig) -> None:
    model, slot = rig.shared()
    slot.script(act.stream_of(act.events_of(TEXT)[:3], [act.hang]))
    clients = [ask(rig, model, f"case-85-flight-{n}", **SAME) for n in range(3)]
    for client in clients:
        until_content(client)
    assert len(slot.requests) == 1
    for client in clients[:-1]:
        client.close()
    rig.gateway.record("case-85-flight-1", outcome="client_cancelled", cost_nano=0)
    assert slot.last.aborted_at is None
    left_at = time.monotonic()
    clients[-1].close()
    assert slot.wait_abort() - left_at < AT_ONCE
    rig.gateway.record("case-85-flight-2", outcome="client_cancelled")
    line = rig.gateway.record("case-85-flight-0", outcome="client_cancelled", usage_source="estimated")
    assert line["output_tokens"] > 0


def test_another_key_never_shares(rig: Rig) -> None:
    """The key `limited` may not use the model at all, and learns nothing of the answer under way."""
    model, slot = rig.shared()
    gate = Gate()
    slot.script([act.wait_for(gate), *act.golden_reply("openai/chat_response.json")])
    with ask(rig, model, "flight-own", temperature=0) as client:
        slot.wait_request()
        assert rig.gateway.post(CHAT, chat_body(model, temperature=0), key=LIMITED_KEY).status == 403
        gate.open()
        assert client.read().status == 200


def test_no_slot_is_left(rig: Rig) -> None:
    rig.gateway.eventually(lambda: rig.gateway.in_flight() == 0, "return of all slots")
