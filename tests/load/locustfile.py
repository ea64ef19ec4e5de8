"""Users of the gateway, for Locust: `pip install locust`, then

    locust -f tests/load/locustfile.py --host http://127.0.0.1:4000

SWITCHGEAR_KEY is the key that they use and SWITCHGEAR_MODEL the model, `echo/any` unless it is given. Two of three calls
are streamed; of those the time to the first event is told apart, as `first event`.
"""

from __future__ import annotations

import os
import time
from typing import Any

from locust import HttpUser, between, task

KEY = os.environ.get("SWITCHGEAR_KEY", "")
MODEL = os.environ.get("SWITCHGEAR_MODEL", "echo/any")
PATH = "/v1/chat/completions"


class Asker(HttpUser):
    """Somebody who asks, reads the answer, thinks, and asks again."""

    wait_time = between(0.5, 1.5)

    def on_start(self) -> None:
        self.client.headers["authorization"] = f"Bearer {KEY}"

    @task(1)
    def ask(self) -> None:
        with self.client.post(PATH, json=self._body(stream=False), catch_response=True) as answer:
            if answer.status_code == 200 and not answer.json().get("choices"):
                answer.failure("an answer without choices")

    @task(2)
    def follow_a_stream(self) -> None:
        begun = time.perf_counter()
        first = 0.0
        with self.client.post(
            PATH, json=self._body(stream=True), stream=True, catch_response=True, name=f"{PATH} (stream)"
        ) as answer:
            if answer.status_code != 200:
                return
            last = b""
            for line in answer.iter_lines():
                if line and not line.startswith(b":"):
                    first = first or time.perf_counter()
                    last = line
            if last != b"data: [DONE]":
                answer.failure("a stream that did not come to its end")
        if first:
            told = {"request_type": "SSE", "name": "first event", "response_length": 0, "exception": None}
            self.environment.events.request.fire(
                response_time=(first - begun) * 1000, context=self.context(), **told
            )

    def _body(self, **fields: Any) -> dict[str, Any]:
        question = "In which year was the first telephone exchange opened, and where? " * 4
        return {"model": MODEL, "messages": [{"role": "user", "content": question}], **fields}
