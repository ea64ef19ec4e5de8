"""What the embedded provider says, and how it can be told to behave."""

from __future__ import annotations

import json

import pytest

from providers.echo.answers import Answer, answer

CHAT = "/chat/completions"


def ask(path: str = CHAT, **body: object) -> Answer:
    return answer(path, {"model": "echo", "messages": [{"role": "user", "content": "Hello there"}], **body})


def whole(said: Answer) -> dict:
    return json.loads(b"".join(said.pieces))


def events(said: Answer) -> list[dict]:
    return [json.loads(piece[6:]) for piece in said.pieces if piece != b"data: [DONE]\n\n"]


def test_the_last_user_message_comes_back() -> None:
    assert whole(ask())["choices"][0]["message"]["content"] == "Hello there"


def test_the_same_request_gets_the_same_answer() -> None:
    assert ask(stream=True) == ask(stream=True)
    assert ask("/embeddings", input="a").pieces == ask("/embeddings", input="a").pieces


def test_a_stream_says_the_same_as_the_whole_and_ends() -> None:
    said = ask(stream=True, stream_options={"include_usage": True})
    seen = events(said)
    text = "".join(event["choices"][0]["delta"].get("content") or "" for event in seen if event["choices"])
    assert text == "Hello there"
    assert seen[-1]["usage"] == whole(ask())["usage"]
    assert said.pieces[-1] == b"data: [DONE]\n\n"
    assert not said.breaks


def test_max_tokens_cuts_and_says_so() -> None:
    choice = whole(ask(max_tokens=1))["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Hell", "length")


def test_n_gives_as_many_choices() -> None:
    assert [choice["index"] for choice in whole(ask(n=3))["choices"]] == [0, 1, 2]


TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
def test_a_tool_is_called_when_the_request_asks_for_one(choice: object) -> None:
    (call,) = whole(ask(tools=[TOOL], tool_choice=choice))["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Hello there"}


def test_a_tool_is_called_when_told_to() -> None:
    said = ask(stream=True, echo={"tool": {"name": "go", "arguments": {"where": "up"}}})
    deltas = [d for e in events(said) for d in e["choices"][0]["delta"].get("tool_calls", [])]
    assert deltas[0]["function"]["name"] == "go"
    assert json.loads("".join(d["function"]["arguments"] for d in deltas)) == {"where": "up"}
    assert events(said)[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_an_answer_fits_the_schema_that_is_asked_for() -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "kind": {"enum": ["x", "y"]}},
    }
    content = whole(
        ask(response_format={"type": "json_schema", "json_schema": {"name": "p", "schema": schema}})
    )
    assert json.loads(content["choices"][0]["message"]["content"]) == {
        "name": "Hello there",
        "age": 1,
        "kind": "x",
    }


def test_it_fails_as_told() -> None:
    said = ask(echo={"status": 429, "retry_after": 2.5})
    assert (said.status, said.headers["retry-after"]) == (429, "2.5")
    assert whole(said)["error"]["message"] == "echo was told to fail with 429"


@pytest.mark.parametrize("count", [0, 1, 3])
def test_it_stops_midway_as_told(count: int) -> None:
    said = ask(stream=True, echo={"stop_after": count})
    assert (len(said.pieces), said.breaks) == (count, True)


def test_it_sends_an_error_event_as_told() -> None:
    assert "error" in events(ask(stream=True, echo={"error_after": 2}))[2]


@pytest.mark.parametrize(
    "directives", [{"status": 200.5}, {"delya": 1}, {"delay": -1}, {"delay": 1e9}, {"status": 302}, 7]
)
def test_a_wrong_directive_is_refused_and_named(directives: object) -> None:
    said = ask(echo=directives)
    assert said.status == 400
    assert "echo" in whole(said)["error"]["message"]


def test_embeddings_have_length_one_and_the_dimensions_asked_for() -> None:
    for vector in (
        item["embedding"] for item in whole(ask("/embeddings", input=["a", "b"], dimensions=5))["data"]
    ):
        assert len(vector) == 5
        assert sum(x * x for x in vector) == pytest.approx(1, abs=1e-5)


def test_usage_can_be_left_out() -> None:
    assert "usage" not in whole(ask(echo={"usage": False}))
