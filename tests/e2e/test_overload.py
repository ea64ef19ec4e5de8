"""More calls than places: who is refused, how, and who goes on as if nothing were."""

from __future__ import annotations

import contextlib
import json
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness import actions as act
from tests.harness.client import Client
from tests.harness.gateway import KEY, Gateway, chat_body
from tests.harness.rig import config_for, provider, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.upstream import Action, Gate, Upstream

pytestmark = pytest.mark.slow

CHAT = "/v1/chat/completions"
PLACES, NORMAL, LOW = 10, 8, 7
"""All of them; those that keys of priority `normal` and `low` may fill."""
OTHER, VIP, BATCH = (f"sk-test-{name}-0123456789abcdef" for name in ("other", "vip", "batch"))
HOLDERS = [f"sk-test-holder-{number}-0123456789abcdef" for number in range(PLACES)]
"""A key for each place: whoever holds none gets any that its priority may have."""
PATIENT = {"response": "30s", "first_event": "30s", "idle": "30s"}
STREAM = chat_body("up/held", stream=True)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(
    upstream: Upstream, tmp_path_factory: pytest.TempPathFactory, secrets: Secrets
) -> Iterator[Gateway]:
    config = config_for({"up": provider(upstream, "up", exact=True, timeouts=PATIENT), "echo": {}}, {})
    config["server"] = {"max_inflight": PLACES}
    config["auth"]["keys"] += [
        {"name": "other", "key": OTHER},
        {"name": "vip", "key": VIP, "priority": "high"},
        {"name": "batch", "key": BATCH, "priority": "low"},
        *(
            {"name": f"holder-{n}", "key": key, "priority": "normal" if n < NORMAL else "high"}
            for n, key in enumerate(HOLDERS)
        ),
    ]
    with start_gateway(tmp_path_factory.mktemp("overload"), secrets, config) as running:
        yield running


class Holders:
    """Streams that have begun and wait for the gate."""

    def __init__(self, gateway: Gateway, upstream: Upstream) -> None:
        self.gate = Gate()
        upstream.slot("held").respond(lambda _: self._held())
        self._gateway = gateway
        self.clients: list[Client] = []

    def _held(self) -> Action:
        first, *rest = act.events_of("openai/chat_stream_text.sse")
        head = act.head(200, {"content-type": act.EVENT_STREAM, "transfer-encoding": "chunked"})
        return [head, act.chunk(first), act.wait_for(self.gate), *map(act.chunk, rest), act.chunk(b"")]

    def hold(self, *keys: str) -> None:
        """Begin one more for each key; each has shown its first event."""
        for key in keys:
            client = Client(self._gateway.port)
            client.post(CHAT, STREAM, key)
            assert client.read_head() == 200, client.read_body()
            self.clients.append(client)

    def finish(self) -> None:
        """Let them all come to their end."""
        self.gate.open()
        for client in self.clients:
            assert client.read_body().endswith(b"data: [DONE]\n\n")
            client.close()


@pytest.fixture
def holders(gateway: Gateway, upstream: Upstream) -> Iterator[Holders]:
    holding = Holders(gateway, upstream)
    yield holding
    holding.gate.open()
    for client in holding.clients:
        client.close()
    gateway.eventually(lambda: status(gateway, BATCH) == 200, "return of the places")


def status(gateway: Gateway, key: str) -> int:
    return gateway.post(CHAT, chat_body("echo/any"), key=key).status


def refused(gateway: Gateway, reason: str) -> float:
    return gateway.metrics().get(f'switchgear_overload_refusals_total{{reason="{reason}"}}', 0.0)


def test_streams_go_on_and_the_best_are_served_while_the_rest_is_refused(
    gateway: Gateway, holders: Holders
) -> None:
    holders.hold(*HOLDERS[:NORMAL])
    before = refused(gateway, "priority")
    with gateway.client() as client:
        for _ in range(3):
            client.post(CHAT, chat_body("echo/any"), KEY)
            answer = client.read()
            assert answer.status == 503
            assert answer.error["code"] == "overloaded"
            assert answer.error["type"] == "server_error"
            assert 500 <= int(answer.headers["retry-after-ms"]) <= 1500
            assert answer.headers["retry-after"] == str(-(-int(answer.headers["retry-after-ms"]) // 1000))
            assert "connection" not in answer.headers
        client.request("GET", "/health/live")
        assert client.read().status == 200, "the connection is as good as new"
    assert refused(gateway, "priority") == before + 3
    assert [status(gateway, key) for key in (BATCH, OTHER, VIP)] == [503, 503, 200]
    for path in ("/health/ready", "/metrics", "/docs"):
        assert gateway.send("GET", path).status == 200
    assert gateway.send("GET", "/v1/models", headers={"authorization": f"Bearer {KEY}"}).status == 200
    holders.finish()
    gateway.eventually(lambda: gateway.in_flight() == 0, "return of all slots")


def test_all_places_taken_refuses_the_best_too(gateway: Gateway, holders: Holders) -> None:
    holders.hold(*HOLDERS)
    assert status(gateway, VIP) == 503
    assert refused(gateway, "total") > 0
    assert gateway.send("GET", "/health/ready").status == 200


def test_a_key_that_holds_its_share_makes_room_for_another(gateway: Gateway, holders: Holders) -> None:
    assert status(gateway, OTHER) == 200
    held = 0
    while status(gateway, KEY) == 200:
        holders.hold(KEY)
        held += 1
    assert 0 < held < NORMAL
    assert refused(gateway, "tenant") > 0
    assert status(gateway, OTHER) == 200
    holders.finish()


def test_low_is_refused_before_normal(gateway: Gateway, holders: Holders) -> None:
    holders.hold(*HOLDERS[:LOW])
    assert [status(gateway, key) for key in (BATCH, OTHER)] == [503, 200]


def test_an_unread_body_costs_the_connection_and_nothing_else(gateway: Gateway, holders: Holders) -> None:
    """The refusal comes before a byte of the body."""
    holders.hold(*HOLDERS[:NORMAL])
    fields = f"authorization: Bearer {KEY}\r\ncontent-type: application/json\r\n"
    for rest in (
        "content-length: 1000000",
        "transfer-encoding: chunked",
        "content-length: 9\r\nexpect: 100-continue",
    ):
        with gateway.client() as client:
            client.send(f"POST {CHAT} HTTP/1.1\r\nhost: x\r\n{fields}{rest}\r\n\r\n".encode())
            answer = client.read()
            assert (answer.status, answer.headers["connection"]) == (503, "close")
            assert client.at_eof()


def test_a_small_body_may_come_behind_its_head(gateway: Gateway, holders: Holders) -> None:
    holders.hold(*HOLDERS[:NORMAL])
    body = json.dumps(chat_body("echo/any")).encode()
    with gateway.client() as client:
        for _ in range(2):
            client.send(
                f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
                f"content-length: {len(body)}\r\n\r\n".encode()
            )
            time.sleep(0.02)
            client.send(body)
            answer = client.read()
            assert (answer.status, answer.headers.get("connection")) == (503, None)
        # And two at once, the second ahead of the first one's answer.
        head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
        client.send((head.encode() + body) * 2)
        assert [client.read().status for _ in range(2)] == [503, 503]


def test_every_place_comes_back_wherever_clients_leave(gateway: Gateway, holders: Holders) -> None:
    chance = random.Random(5)
    body = json.dumps(STREAM).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
    whole = head.encode() + body
    for number in range(60):
        client = gateway.client()
        client.send(whole[: chance.choice([len(head), len(head) + 5, len(whole)])])
        if number % 3 == 0:
            with contextlib.suppress(TimeoutError):
                client._socket.settimeout(0.01)
                client.read_head()
        client.reset()
    gateway.eventually(lambda: gateway.in_flight() == 0, "return of all slots")
    gateway.eventually(lambda: status(gateway, BATCH) == 200, "return of the places")
    holders.hold(*HOLDERS)
    assert status(gateway, VIP) == 503, "none has come back twice"


@pytest.mark.slow
def test_a_flood_of_refusals_does_not_drown_the_log(gateway: Gateway, holders: Holders) -> None:
    holders.hold(*HOLDERS[:NORMAL])
    before, lines, began = all_refused(gateway), len(gateway.told("refused")), time.monotonic()
    with ExitStack() as stack:
        clients = [stack.enter_context(gateway.client()) for _ in range(20)]
        for _ in range(10):
            for client in clients:
                client.post(CHAT, chat_body("echo/any"), KEY)
            assert {client.read().status for client in clients} == {503}
    seconds = time.monotonic() - began
    assert all_refused(gateway) == before + 200
    gateway.eventually(lambda: told_of(gateway) == all_refused(gateway), "the sum of what no line told of")
    assert len(gateway.told("refused")) - lines <= 10 * (seconds + 2)
    assert not [line for line in gateway.log_lines() if line["error_type"] == "overloaded"]


def all_refused(gateway: Gateway) -> float:
    series = gateway.metrics().items()
    return sum(value for name, value in series if name.startswith("switchgear_overload_refusals_total"))


def told_of(gateway: Gateway) -> int:
    sums = sum(line["calls"] for line in gateway.told("refused_too"))
    return sums + len(gateway.told("refused"))


@pytest.mark.slow
def test_calls_wait_for_a_place_where_they_may(upstream: Upstream, tmp_path: Path, secrets: Secrets) -> None:
    config = config_for({"up": provider(upstream, "up", exact=True, timeouts=PATIENT), "echo": {}}, {})
    config["server"] = {"max_inflight": 1, "overload": {"max_wait": "1s"}}
    with start_gateway(tmp_path / "run", secrets, config) as gateway:
        holding = Holders(gateway, upstream)
        upstream.slot("never").script([act.hang])
        holding.hold(KEY)
        began = time.monotonic()
        assert status(gateway, KEY) == 503
        assert 0.9 < time.monotonic() - began < 3
        with gateway.client() as leaver, gateway.client() as waiter:
            waiter.post(CHAT, chat_body("echo/any"), KEY)
            leaver.post(CHAT, chat_body("up/never"), KEY)
            time.sleep(0.1)
            leaver.reset()
            time.sleep(0.1)
            holding.finish()
            assert waiter.read().status == 200
        gateway.eventually(lambda: gateway.in_flight() == 0, "return of all slots")
        assert status(gateway, KEY) == 200
        assert upstream.slot("never").requests == []
