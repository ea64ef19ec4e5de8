"""Many streams at once, of all fates, leave nothing behind."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.harness import actions as act
from tests.harness.client import Client
from tests.harness.gateway import KEY, Gateway, chat_body
from tests.harness.rig import config_for, provider, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.upstream import Action, Received, Upstream

CHAT = "/v1/chat/completions"
STREAM = "openai/chat_stream_text.sse"


def fate(received: Received) -> Action:
    """Answer in one of many ways, chosen by the prompt."""
    number = int(received.json["messages"][0]["content"]) % 20
    if not received.json.get("stream"):
        faults = {0: act.error_reply(503), 1: [act.reset], 2: [act.hang]}
        return faults.get(number, act.golden_reply("openai/chat_response.json"))
    start = act.head(200, {"content-type": act.EVENT_STREAM, "transfer-encoding": "chunked"})
    slow = [step for event in act.events_of(STREAM) for step in (act.chunk(event), act.stall(0.01))]
    broken: dict[int, Action] = {
        0: act.golden_stream(STREAM, [act.close], first=4),
        1: act.golden_stream(STREAM, [act.reset], first=4),
        2: act.golden_stream("openai/chat_stream_error_midway.sse"),
        3: act.golden_stream(STREAM, [act.hang], first=4),
        4: act.error_reply(500),
    }
    return broken.get(number, [start, *slow, act.chunk(b"")])


def one_client(gateway: Gateway, stop: threading.Event, seed: int, counts: list[int]) -> None:
    """Call again and again until told to stop; leave now and then."""
    chance = random.Random(seed)
    while not stop.is_set():
        number = chance.randrange(1000)
        with Client(gateway.port) as client:
            client.post(CHAT, chat_body("fast", prompt=str(number), stream=chance.random() < 0.8), KEY)
            counts[seed] += 1
            way = chance.random()
            if way < 0.05:
                client.reset()
            elif way < 0.1:
                client.read_head()
                client.reset()
            else:
                client.read_head()
                client.read_body()


def soak(directory: Path, secrets: Secrets, seconds: float, clients: int) -> None:
    with Upstream() as upstream:
        fast = {"exact": True, "timeouts": {"first_event": "500ms", "idle": "500ms", "response": "500ms"}}
        config = config_for({"up": provider(upstream, "up", **fast)}, {"fast": ["up/up"]})
        slot = upstream.slot("up")
        slot.respond(fate)
        with start_gateway(directory, secrets, config) as gateway:
            gateway.chat("fast", prompt="7")
            gateway.record(gateway.chat("fast", prompt="7").request_id)
            baseline = idle_files(gateway, upstream)
            counts = [0] * clients
            stop = threading.Event()
            with ThreadPoolExecutor(clients) as pool:
                work = [pool.submit(one_client, gateway, stop, seed, counts) for seed in range(clients)]
                time.sleep(seconds)
                stop.set()
                for done in work:
                    done.result()
            total = sum(counts) + 2
            assert total > clients
            gateway.eventually(lambda: gateway.in_flight() == 0, "return of all slots")
            gateway.eventually(lambda: len(gateway.rows()) >= total, "a row for each call")
            assert len(gateway.rows()) == total
            gateway.eventually(lambda: len(gateway.log_lines()) >= total, "a line for each call")
            assert len(gateway.log_lines()) == total
            outcomes = {row["outcome"] for row in gateway.rows()}
            assert outcomes >= {"success", "truncated", "upstream_error", "client_cancelled"}
            assert "internal_error" not in outcomes
            gateway.eventually(lambda: idle_files(gateway, upstream) <= baseline, "return of all descriptors")


def idle_files(gateway: Gateway, upstream: Upstream) -> int:
    """Count the descriptors that are not kept connections to the provider."""
    return gateway.open_files() - upstream.open_connections


@pytest.mark.slow
def test_case_120_soak(tmp_path: Path, secrets: Secrets) -> None:
    soak(tmp_path / "run", secrets, seconds=4, clients=200)


@pytest.mark.slow
def test_case_120_long_soak(tmp_path: Path, secrets: Secrets) -> None:
    soak(tmp_path / "run", secrets, seconds=30, clients=200)
