"""Killing the gateway under load, again and again, and looking for what is lost or doubled."""

from __future__ import annotations

import json
import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.harness import actions as act
from tests.harness.client import Client
from tests.harness.gateway import KEY, Gateway, chat_body
from tests.harness.rig import config_for, provider, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.upstream import Action, Received, Upstream

CHAT = "/v1/chat/completions"
CLIENTS = 8


@dataclass
class Toll:
    """What the clients saw, and what the ledger has."""

    kills: int = 0
    completed: set[str] = field(default_factory=set)
    """Answers that a client has read to their end."""
    sent: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    doubled: set[str] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)
    charged: int = 0
    spent: int = 0
    """Nano-dollars: by the rows, and by the table that budgets are read from."""


def slowly(received: Received) -> Action:
    """Answer like a provider that takes some milliseconds for each word."""
    if not received.json.get("stream"):
        return [act.stall(0.02), *act.golden_reply("openai/chat_response.json")]
    head = act.head(200, {"content-type": act.EVENT_STREAM, "transfer-encoding": "chunked"})
    events = act.events_of("openai/chat_stream_text.sse")
    return [
        head,
        *(step for event in events for step in (act.chunk(event), act.stall(0.003))),
        act.chunk(b""),
    ]


def kill_again_and_again(folder: Path, secrets: Secrets, kills: int) -> Toll:
    """Start, load, kill -9 at a random moment; then start once more, and compare."""
    chance, toll = random.Random(13), Toll()
    with Upstream() as upstream:
        prices = {"*": {"input_mtok": "1", "output_mtok": "2"}}
        config = config_for({"up": provider(upstream, "up", exact=True, prices=prices)}, {"fast": ["up/up"]})
        config["auth"]["keys"][0]["budget"] = {"amount": "1000", "per": "total", "mode": "strict"}
        upstream.slot("up").respond(slowly)
        with start_gateway(folder, secrets, config) as gateway:
            for kill in range(kills):
                load_until_killed(gateway, chance, kill, toll)
                gateway.start()
            toll.kills = kills
            gateway.eventually(lambda: len(gateway.rows()) >= len(toll.completed), "the rows", 30.0)
            gateway.stop()
            compare(gateway, toll)
    return toll


def load_until_killed(gateway: Gateway, chance: random.Random, kill: int, toll: Toll) -> None:
    stop = threading.Event()
    threads = [
        threading.Thread(target=one_client, args=(gateway.port, stop, f"{kill}-{n}", toll))
        for n in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    time.sleep(chance.uniform(0.05, 0.6))
    gateway.kill()
    stop.set()
    for thread in threads:
        thread.join()


def one_client(port: int, stop: threading.Event, name: str, toll: Toll) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        request_id, stream = f"kill-{name}-{number}", number % 2 == 0
        try:
            with Client(port) as client:
                body = chat_body("fast", stream=stream, max_tokens=20)
                client.post(CHAT, body, KEY, {"x-request-id": request_id})
                toll.sent.add(request_id)
                assert client.read_head() == 200
                seen = client.read_body()
                if not stream or seen.endswith(b"data: [DONE]\n\n"):
                    toll.completed.add(request_id)
        except (OSError, ConnectionError):
            continue


def compare(gateway: Gateway, toll: Toll) -> None:
    rows = gateway.rows()
    counts = Counter(row["request_id"] for row in rows)
    toll.lost = toll.completed - counts.keys()
    toll.doubled = {request_id for request_id, count in counts.items() if count > 1}
    toll.outcomes = Counter(row["outcome"] for row in rows)
    assert counts.keys() <= toll.sent
    complete = {row["request_id"] for row in rows if row["outcome"] == "success"}
    assert toll.completed <= complete | toll.lost, "a call that came to its end is told of as interrupted"
    toll.charged = sum(charge["nano"] for row in rows for charge in json.loads(row["charges"]))
    toll.spent = sum(nano for (nano,) in query(gateway, "SELECT nano FROM budget_spend"))


def query(gateway: Gateway, text: str) -> Sequence[tuple[int, ...]]:
    """Ask the gateway's database."""
    connection = sqlite3.connect(f"file:{gateway.database}?mode=ro", uri=True)
    try:
        return connection.execute(text).fetchall()
    finally:
        connection.close()
