"""Reading a whole stream from the gateway, with the promises that hold for every stream checked on the way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.harness.client import Client, Event
from tests.harness.gateway import KEY, Gateway, chat_body


@dataclass(frozen=True)
class Streamed:
    """A stream that has ended."""

    status: int
    headers: dict[str, str]
    events: Sequence[Event]

    @property
    def request_id(self) -> str:
        return self.headers["x-request-id"]

    @property
    def chunks(self) -> list[Any]:
        """The events that are neither `[DONE]` nor an error nor a comment."""
        parsed = [json.loads(e.data) for e in self.events if e.data not in {None, "[DONE]"}]
        return [chunk for chunk in parsed if "error" not in chunk]

    @property
    def text(self) -> str:
        choices = (choice for chunk in self.chunks for choice in chunk["choices"])
        return "".join(choice["delta"].get("content") or "" for choice in choices)

    @property
    def finish_reasons(self) -> list[str]:
        choices = (choice for chunk in self.chunks for choice in chunk["choices"])
        return [choice["finish_reason"] for choice in choices if choice["finish_reason"]]

    @property
    def usages(self) -> list[Any]:
        return [chunk["usage"] for chunk in self.chunks if chunk.get("usage")]

    @property
    def done(self) -> bool:
        return bool(self.events) and self.events[-1].data == "[DONE]"

    @property
    def error(self) -> dict[str, Any]:
        """The one error event, which is the last one of a stream that has no `[DONE]`."""
        parsed = [json.loads(e.data) for e in self.events if e.data not in {None, "[DONE]"}]
        errors = [chunk["error"] for chunk in parsed if "error" in chunk]
        assert len(errors) == 1, errors
        assert "error" in parsed[-1], "something came after the error"
        assert not any(e.data == "[DONE]" for e in self.events), "an error was followed by [DONE]"
        assert set(errors[0]) == {"message", "type", "param", "code"}, errors
        error: dict[str, Any] = errors[0]
        return error


def read_stream(client: Client) -> Streamed:
    """Read what is left of a stream whose request was sent."""
    status = client.read_head()
    assert client.headers["content-type"].startswith("text/event-stream"), (status, client.read_body())
    return Streamed(status, client.headers, list(client.events()))


def stream_chat(gateway: Gateway, model: str, **fields: Any) -> Streamed:
    """Make a streamed chat call and read it to its end."""
    with gateway.client() as client:
        client.post("/v1/chat/completions", chat_body(model, stream=True, **fields), KEY)
        streamed = read_stream(client)
    gateway.secrets.assert_absent(repr(streamed.events).encode(), "the stream")
    return streamed
