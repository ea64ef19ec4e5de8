"""Case 83: clients that do not read. Each holds little, holds its provider back, and is given up after a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.harness import actions as act
from tests.harness.client import Client
from tests.harness.gateway import KEY, Gateway, chat_body
from tests.harness.lanes import EVERY_LANE, LANES, Lane
from tests.harness.rig import Rig, config_for, model_of, provider, start_gateway, start_rig
from tests.harness.secrets import Secrets
from tests.harness.tls import CA, server_tls
from tests.harness.upstream import Action, Slot, Upstream

pytestmark = pytest.mark.slow

CHAT = "/v1/chat/completions"
HELD = 256 << 10
"""Bytes that the gateway may hold for one reader who does not read."""
TAKEN = 2 << 20
"""Bytes that may be taken from a provider for one: the kernel's buffers are in it. The flood has 100 MiB."""


def flood(lane: Lane) -> Action:
    """Begin as the recording does, then say its text without end, to a peer whose buffers tell what it has taken."""
    events = act.events_of(lane.stream)
    kind = b"content_block_delta" if lane is LANES["anthropic"] else b'"content":"'
    at = next(number for number, event in enumerate(events) if kind in event)
    return [act.small_buffers, *act.stream_of(events[: at + 1], [act.flood(events[at + 1] * 50, 100 << 20)])]


def stall(gateway: Gateway, slot: Slot, count: int) -> list[Client]:
    """Begin so many streams, and read none of them."""
    clients = [gateway.client(receive_buffer=16_384) for _ in range(count)]
    for number, client in enumerate(clients):
        name = {"x-request-id": f"case-83-{slot.name}-{number}"}
        client.post(CHAT, chat_body(model_of(slot), stream=True), KEY, name)
        client.receive_some(1_024)
    slot.wait_request(count)
    taken(slot)
    return clients


def taken(slot: Slot) -> int:
    """Wait until nothing more is taken from the provider, and say how much was."""
    return until_steady(lambda: sum(received.bytes_sent for received in slot.requests))


def until_steady(measure: Callable[[], int], window: float = 0.3, within: float = 20.0) -> int:
    """Measure until nothing has changed for a whole window."""
    deadline = time.monotonic() + within
    seen, since = measure(), time.monotonic()
    while time.monotonic() - since < window:
        assert time.monotonic() < deadline, f"still moving after {within} s"
        time.sleep(0.02)
        if (now := measure()) != seen:
            seen, since = now, time.monotonic()
    return seen


@contextmanager
def stalled(rig: Rig, lane: Lane, count: int) -> Any:
    """Hold so many readers who do not read, after some others whose memory does not count."""
    warm, slot = lane.take(rig), lane.take(rig)
    warm.script(flood(lane))
    slot.script(flood(lane))
    early = stall(rig.gateway, warm, 10)
    before = rig.gateway.resident_bytes()
    late = stall(rig.gateway, slot, count)
    try:
        yield slot, late, (rig.gateway.resident_bytes() - before) / count
    finally:
        for client in early + late:
            client.reset()


def assert_given_up(rig: Rig, slot: Slot, count: int) -> None:
    """Every call is told of as one whose client left, with what it got counted, and no provider goes on."""
    for number in range(count):
        name = f"case-83-{slot.name}-{number}"
        told = {"outcome": "client_cancelled", "status": 200, "usage_source": "estimated", "attempts": 1}
        line = rig.gateway.record(name, **told)
        assert line["input_tokens"] > 0
        assert line["output_tokens"] > 0, "output was delivered and not counted"
    for received in slot.requests:
        slot.wait_abort(received)


def assert_free(rig: Rig, open_files: int) -> None:
    rig.gateway.eventually(lambda: rig.gateway.in_flight() == 0, "return of all slots")
    rig.gateway.eventually(lambda: rig.gateway.open_files() <= open_files, "end of all connections")


def assert_serves(gateway: Gateway, slots: Sequence[Slot]) -> None:
    for slot in slots:
        slot.script(act.golden_reply("openai/chat_response.json"))
        assert gateway.chat(model_of(slot)).status == 200


@pytest.mark.parametrize("name", ["exact", "anthropic"])
def test_case_83_a_slow_reader_holds_little_and_holds_the_provider_back(rig: Rig, name: str) -> None:
    lane, count = LANES[name], 24
    assert_serves(rig.gateway, [rig.plain()])
    open_files = rig.gateway.open_files()
    with stalled(rig, lane, count) as (slot, clients, held):
        assert held <= HELD, f"{held} bytes are held for each reader"
        seen = taken(slot)
        assert seen < count * TAKEN, f"{seen} bytes were taken for readers who do not read"
        assert_serves(rig.gateway, [rig.exact(), rig.plain()])
        # One who reads on gets more, and only that is taken from the provider.
        clients[0].receive_some(1 << 20)
        assert taken(slot) - seen < TAKEN
    assert_given_up(rig, slot, count)
    assert_free(rig, open_files + 5)


@pytest.mark.slow
@pytest.mark.parametrize("lane", EVERY_LANE.values(), ids=list(EVERY_LANE))
def test_case_83_two_hundred_slow_readers_are_given_up(tmp_path: Path, secrets: Secrets, lane: Lane) -> None:
    count, patience = 200, 12.0
    with start_rig(tmp_path, secrets, server={"write_stall": f"{patience:.0f}s"}) as rig:
        assert_serves(rig.gateway, [rig.plain()])
        open_files = rig.gateway.open_files()
        began = time.monotonic()
        with stalled(rig, lane, count) as (slot, clients, held):
            assert held <= HELD, f"{held} bytes are held for each reader"
            assert taken(slot) < count * TAKEN
            assert_serves(rig.gateway, [rig.exact()])
            assert rig.gateway.in_flight() == count + 10
            assert time.monotonic() - began < patience, "too slow to see them all stall at once"
            # None of them leaves: it is the gateway that ends their calls.
            rig.gateway.eventually(lambda: rig.gateway.in_flight() == 0, "end of all", within=2 * patience)
            assert time.monotonic() - began > patience
            assert_given_up(rig, slot, count)
            assert_free(rig, open_files + 5)
            assert all(ended(client) for client in clients)


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["lean", "httpx2"])
def test_case_83_slow_readers_hold_little_over_tls_too(
    tmp_path: Path, secrets: Secrets, transport: str
) -> None:
    pool = {"transport": transport, "tls": {"ca_file": CA}}
    with Upstream(server_tls()) as upstream:
        config = config_for({"exact": provider(upstream, "exact", exact=True, pool=pool)}, {})
        with start_gateway(tmp_path, secrets, config) as gateway:
            rig = Rig(gateway, upstream)
            assert_serves(gateway, [rig.exact()])
            with stalled(rig, LANES["exact"], 60) as (slot, _, held):
                assert held <= HELD, f"{held} bytes are held for each reader"
                assert_serves(gateway, [rig.exact()])
            assert_given_up(rig, slot, 60)


def ended(client: Client) -> bool:
    """Read what is left, and say whether it ends without the end of a stream."""
    last = b"-"
    try:
        while piece := client.receive_some(1 << 20):
            last = piece
    except ConnectionResetError:
        return True
    return b"[DONE]" not in last
