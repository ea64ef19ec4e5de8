"""Cases 84 to 86: clients that leave. The provider is let go at once, and the call is accounted for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import actions as act
from tests.harness.client import Client
from tests.harness.gateway import KEY, chat_body
from tests.harness.lanes import EVERY_LANE, LANES, Lane
from tests.harness.rig import Rig, model_of
from tests.harness.upstream import Gate, Slot

CHAT = "/v1/chat/completions"
AT_ONCE = 0.25
"""Seconds within which the provider must see that its answer is no longer wanted."""
TEXT = "openai/chat_stream_text.sse"

LEAVING: dict[str, Callable[[Client], None]] = {"FIN": Client.close, "RST": Client.reset}


@pytest.fixture(params=list(LEAVING))
def leave(request: pytest.FixtureRequest) -> Callable[[Client], None]:
    return LEAVING[request.param]


@pytest.fixture(params=[*LANES, pytest.param("httpx2", marks=pytest.mark.slow)])
def lane(request: pytest.FixtureRequest) -> Lane:
    return EVERY_LANE[request.param]


def ask(rig: Rig, slot: Slot, request_id: str, **fields: Any) -> Client:
    client = rig.gateway.client()
    client.post(CHAT, chat_body(model_of(slot), **fields), KEY, {"x-request-id": request_id})
    return client


def assert_let_go(slot: Slot, left_at: float) -> None:
    assert slot.wait_abort() - left_at < AT_ONCE


def assert_cancelled(rig: Rig, request_id: str, status: int, **recorded: Any) -> dict[str, Any]:
    return rig.gateway.record(
        request_id,
        outcome="client_cancelled",
        status=status,
        usage_source="estimated",
        attempts=1,
        **recorded,
    )


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_case_84_leaving_before_the_first_token(
    rig: Rig, leave: Callable[[Client], None], request: pytest.FixtureRequest, stream: bool
) -> None:
    slot = rig.exact()
    slot.script([act.hang])
    client = ask(rig, slot, f"case-84-{slot.name}", stream=stream)
    slot.wait_request()
    left_at = time.monotonic()
    leave(client)
    assert_let_go(slot, left_at)
    line = assert_cancelled(rig, f"case-84-{slot.name}", 499, stream=stream)
    assert line["input_tokens"] > 0
    assert line["output_tokens"] == 0


def test_case_84_leaving_in_the_middle_of_a_whole_answer(rig: Rig, leave: Callable[[Client], None]) -> None:
    slot = rig.plain()
    body = act.golden("openai/chat_response.json")
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    slot.script([act.head(200, headers), act.send(body[:60]), act.hang])
    client = ask(rig, slot, f"case-84b-{slot.name}")
    slot.wait_request()
    left_at = time.monotonic()
    leave(client)
    assert_let_go(slot, left_at)
    assert_cancelled(rig, f"case-84b-{slot.name}", 499)


def test_case_84_leaving_does_not_start_the_fallback(rig: Rig, leave: Callable[[Client], None]) -> None:
    pair = rig.pair()
    pair.first.script([act.hang])
    client = rig.gateway.client()
    client.post(CHAT, chat_body(pair.model), KEY, {"x-request-id": f"case-84c-{pair.model}"})
    pair.first.wait_request()
    left_at = time.monotonic()
    leave(client)
    assert_let_go(pair.first, left_at)
    assert_cancelled(rig, f"case-84c-{pair.model}", 499)
    assert pair.second.requests == []


def test_case_85_leaving_in_the_middle_of_a_stream(
    rig: Rig, lane: Lane, leave: Callable[[Client], None]
) -> None:
    slot = lane.take(rig)
    slot.script(lane.text_stream([act.hang], first=6))
    client = ask(rig, slot, f"case-85-{slot.name}", stream=True)
    assert client.read_head() == 200
    events = client.events()
    seen = ""
    while "capital" not in seen:
        seen += next(events).data or ""
    left_at = time.monotonic()
    leave(client)
    assert_let_go(slot, left_at)
    line = assert_cancelled(rig, f"case-85-{slot.name}", 200, stream=True)
    assert line["input_tokens"] > 0
    assert line["output_tokens"] > 0, "output was delivered and not counted"


def test_case_85_many_points(rig: Rig) -> None:
    """After each number of events, alternating between FIN and RST, on one slot."""
    slot = rig.exact()
    total = len(act.events_of(TEXT)) - 3
    for count in range(1, total):
        gate = Gate()
        slot.script(act.golden_stream(TEXT, [act.wait_for(gate)], first=count))
        client = ask(rig, slot, f"case-85-many-{count}", stream=True)
        client.read_head()
        events = client.events()
        for _ in range(count):
            next(events)
        left_at = time.monotonic()
        LEAVING["FIN" if count % 2 else "RST"](client)
        assert_let_go(slot, left_at)
        gate.open()
    for count in range(1, total):
        assert_cancelled(rig, f"case-85-many-{count}", 200)


def test_case_86_leaving_while_the_provider_never_pauses(rig: Rig, leave: Callable[[Client], None]) -> None:
    slot = rig.exact()
    first, second, *_ = act.events_of(TEXT)
    slot.script(act.stream_of([first], [act.flood(second * 50, 1 << 34)]))
    client = ask(rig, slot, f"case-86-{slot.name}", stream=True)
    client.read_head()
    events = client.events()
    for _ in range(200):
        next(events)
    left_at = time.monotonic()
    leave(client)
    assert_let_go(slot, left_at)
    line = assert_cancelled(rig, f"case-86-{slot.name}", 200)
    assert line["output_tokens"] >= 100 * len("The") // 4


def test_case_84_no_slot_or_connection_is_left(rig: Rig) -> None:
    """After all the leaving in this file the gateway is as it was."""
    rig.gateway.eventually(lambda: rig.gateway.in_flight() == 0, "return of all slots")
