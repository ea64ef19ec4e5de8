"""Clients that keep their connection and come again at once, and count every call that was not answered."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.harness.client import Client
from tests.harness.gateway import KEY

CHAT = "/v1/chat/completions"


@dataclass
class Tally:
    """What became of their calls."""

    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    told_to_close: int = 0
    ids: list[str] = field(default_factory=list)
    """Of the calls that were answered, one each."""

    @property
    def answered(self) -> int:
        return sum(self.statuses.values())


class Regular:
    """One client: a call at a time, on one connection for as long as it may."""

    def __init__(self, port: int, name: str, document: Any, tally: Tally) -> None:
        self._port = port
        self._name = name
        self._document = document
        self._tally = tally
        self._client: Client | None = None

    def come(self, stop: threading.Event, pause: float) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                self._call(f"{self._name}-{number}")
            except (OSError, AssertionError) as error:
                self._tally.failures.append(f"{self._name}-{number}: {error!r}")
                self._leave()
            stop.wait(pause)
        self._leave()

    def _call(self, request_id: str) -> None:
        client = self._client = self._client or Client(self._port, timeout=30.0)
        client.post(CHAT, self._document, KEY, {"x-request-id": request_id})
        client.read_head()
        body = client.read_body()
        if "text/event-stream" in client.headers["content-type"]:
            assert body.endswith(b"data: [DONE]\n\n"), f"a stream was cut: {body[-200:]!r}"
        self._tally.statuses[client.status] += 1
        self._tally.ids.append(request_id)
        if client.headers.get("connection") == "close":
            self._tally.told_to_close += 1
            self._leave()

    def _leave(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


@contextmanager
def regulars(port: int, count: int, name: str, document: Any, pause: float = 0.0) -> Iterator[Tally]:
    """Let so many come while the block runs; `pause` seconds between the calls of each."""
    tally, stop = Tally(), threading.Event()
    clients = [Regular(port, f"{name}-{n}", document, tally) for n in range(count)]
    threads = [threading.Thread(target=client.come, args=(stop, pause)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield tally
    finally:
        stop.set()
        for thread in threads:
            thread.join()
