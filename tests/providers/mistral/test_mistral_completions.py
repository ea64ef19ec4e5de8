"""Completions of code at Mistral, for clients of OpenAI's completions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.errors import MalformedResponse, RequestRejected, StreamTruncated, UnsupportedParameter
from providers.mistral import completions
from providers.types import Call, Operation, Usage
from tests.contract import recorded
from tests.contract.recorded import CREATED, GOLDEN, OK

TARGET = recorded.target("mistral")
ASKED: dict[str, Any] = {"model": "m", "prompt": "def f(", "suffix": "return x"}
CITY = "The capital of France is Paris."


def call(**fields: Any) -> Call:
    return Call(Operation.COMPLETIONS, "m", {**ASKED, **fields}, "abc", CREATED)


def test_requests() -> None:
    asked = call(max_tokens=9, seed=7, stop="x", n=1, echo=False, user="u", stream=True,
                 stream_options={"include_usage": True})  # fmt: skip
    made = completions.build_request(asked, TARGET)
    assert made.url == "https://api.mistral.ai/v1/fim/completions"
    assert isinstance(made.body, bytes)
    assert json.loads(made.body) == {
        **ASKED, "model": "some-model", "max_tokens": 9, "random_seed": 7, "stop": "x", "stream": True
    }  # fmt: skip
    for field, value in (("n", 2), ("echo", True), ("logprobs", 2), ("prompt", ["a", "b"]), ("prompt", [1])):
        with pytest.raises(UnsupportedParameter, match=f"mistral/some-model.*{field}") as caught:
            completions.build_request(call(**{field: value}), TARGET)
        assert caught.value.param == field


def test_a_whole_answer_is_a_text() -> None:
    data = (GOLDEN / "mistral/chat_response.json").read_bytes()
    reply = completions.parse_response(call(), TARGET, OK, data)
    body = json.loads(reply.body)
    (choice,) = body["choices"]
    assert (body["object"], choice["text"], choice["finish_reason"]) == ("text_completion", CITY, "stop")
    assert "message" not in choice
    assert reply.usage == Usage(13, 8)
    for bad in (
        b"",
        b"[]",
        b'{"choices":[5]}',
        b'{"choices":[]}',
        b'{"choices":[{"message":{"content":5}}]}',
    ):
        with pytest.raises(MalformedResponse):
            completions.parse_response(call(), TARGET, OK, bad)


def test_a_stream_is_texts_wherever_it_is_split() -> None:
    data = (GOLDEN / "mistral/stream_text.sse").read_bytes()
    asked = call(stream=True, stream_options={"include_usage": True})
    whole = recorded.told(recorded.read(completions.open_stream(asked, TARGET, OK), [data]))
    for at in range(len(data)):
        pieces = [data[:at], data[at:]]
        assert recorded.told(recorded.read(completions.open_stream(asked, TARGET, OK), pieces)) == whole
    events = [json.loads(event) for event, _, _ in whole[0] if event]
    assert "".join(choice["text"] for event in events for choice in event["choices"]) == CITY
    assert {event["object"] for event in events} == {"text_completion"}
    assert events[-1]["usage"]["completion_tokens"] == 8
    cut = completions.open_stream(asked, TARGET, OK)
    cut.feed(data[: len(data) // 2])
    with pytest.raises(StreamTruncated):
        cut.close()
    with pytest.raises(RequestRejected):
        completions.build_request(call(prompt=None), TARGET)
