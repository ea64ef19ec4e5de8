"""What an OpenAI client reads of Anthropic's whole answers."""

from __future__ import annotations

import contextlib
import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from providers.anthropic import chat
from providers.errors import MalformedResponse, Overloaded
from providers.types import Call, Head, Operation, Reply, Target, Usage

GOLDEN = Path(__file__).parents[2] / "golden" / "anthropic"
TARGET = Target("anthropic", "anthropic", "https://api.anthropic.com", "claude-haiku-4-5")
HEAD = Head(200, {})


def call(**body: Any) -> Call:
    return Call(
        Operation.CHAT, "claude", {"messages": [{"role": "user", "content": "x"}], **body}, "id", 1795161600
    )


def sample(name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / f"messages_response{name}.json").read_text())


def parse(message: Any, **body: Any) -> Reply:
    raw = message if isinstance(message, bytes) else json.dumps(message).encode()
    return chat.parse_response(call(**body), TARGET, HEAD, raw)


def read(message: Any, **body: Any) -> dict[str, Any]:
    answer = json.loads(parse(message, **body).body)
    ChatCompletion.model_validate(answer, strict=True)
    return answer


def test_text() -> None:
    reply = parse(sample(""))
    assert json.loads(reply.body) == {
        "id": "msg_01QC4g3HwBThD4BaNtBckFDJ",
        "object": "chat.completion",
        "created": 1795161600,
        "model": "claude-haiku-4-5-20251001",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "The capital of France is Paris.",
                    "refusal": None,
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 20,
            "completion_tokens": 10,
            "total_tokens": 30,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }
    assert reply.usage == Usage(input_tokens=20, output_tokens=10)
    assert reply.model == "claude-haiku-4-5-20251001"


def test_a_tool_call() -> None:
    choice = read(sample("_tool_use"))["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] == "Let me check."
    assert choice["message"]["tool_calls"] == [
        {
            "id": "toolu_01QE1WLsSVp5hy5Q3GmGTmjP",
            "type": "function",
            "function": {"name": "get_weather", "arguments": '{"location":"Paris"}'},
        }
    ]


def test_only_tool_calls_have_no_content() -> None:
    message = sample("_tool_use")
    call_block = message["content"][1]
    message["content"] = [call_block, {**call_block, "id": "toolu_2", "input": {}}]
    answer = read(message)["choices"][0]["message"]
    assert answer["content"] is None
    assert [c["id"] for c in answer["tool_calls"]] == [call_block["id"], "toolu_2"]
    assert answer["tool_calls"][1]["function"]["arguments"] == "{}"


def test_a_function_call_for_clients_that_speak_functions() -> None:
    choice = read(sample("_tool_use"), functions=[{"name": "get_weather"}])["choices"][0]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {"name": "get_weather", "arguments": '{"location":"Paris"}'}
    assert "tool_calls" not in choice["message"]


def test_reasoning() -> None:
    message = sample("_thinking")
    message["content"].insert(1, {"type": "redacted_thinking", "data": "EmwK"})
    reply = parse(message)
    answer = json.loads(reply.body)["choices"][0]["message"]
    assert answer["content"] == "The capital of France is Paris."
    assert answer["reasoning_content"] == "The user wants the capital."
    assert answer["thinking_blocks"] == message["content"][:2]
    assert reply.usage == Usage(input_tokens=40, output_tokens=60, reasoning_tokens=45)


def test_reasoning_comes_back_to_anthropic_as_it_left() -> None:
    message = sample("_thinking")
    message["content"].insert(1, {"type": "redacted_thinking", "data": "EmwK", "new": [1]})
    message["content"].append({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": [1, None]}})
    answer = json.loads(parse(message).body)["choices"][0]["message"]
    messages = [
        {"role": "user", "content": "x"},
        answer,
        {"role": "tool", "tool_call_id": "toolu_1", "content": "y"},
    ]
    sent = json.loads(chat.build_request(call(messages=messages), TARGET).body)
    assert sent["messages"][1] == {"role": "assistant", "content": message["content"]}


def test_a_refusal() -> None:
    choice = read(sample("_refusal"))["choices"][0]
    assert choice["finish_reason"] == "content_filter"
    assert choice["message"] == {"role": "assistant", "content": None, "refusal": "Blocked by policy."}


def test_a_refusal_without_words_names_its_category() -> None:
    message = sample("_refusal")
    message["stop_details"]["explanation"] = None
    assert "cyber" in read(message)["choices"][0]["message"]["refusal"]


STOPS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
    "tool_use": "stop",
    "something_new": "stop",
    None: "stop",
}


@pytest.mark.parametrize("stop", STOPS)
def test_finish_reasons(stop: str | None) -> None:
    assert read({**sample(""), "stop_reason": stop})["choices"][0]["finish_reason"] == STOPS[stop]
    called = read({**sample("_tool_use"), "stop_reason": stop})["choices"][0]["finish_reason"]
    assert called == ("tool_calls" if STOPS[stop] == "stop" else STOPS[stop])


def test_an_empty_answer_is_an_empty_text() -> None:
    assert read({**sample(""), "content": []})["choices"][0]["message"]["content"] == ""


def test_cached_tokens_are_part_of_the_prompt() -> None:
    message = sample("")
    message["usage"] |= {"cache_creation_input_tokens": 100, "cache_read_input_tokens": 1000}
    reply = parse(message)
    usage = json.loads(reply.body)["usage"]
    assert (usage["prompt_tokens"], usage["total_tokens"]) == (1120, 1130)
    assert usage["prompt_tokens_details"] == {"cached_tokens": 1000, "cache_write_tokens": 100}
    assert reply.usage == Usage(
        input_tokens=1120, output_tokens=10, cached_tokens=1000, cache_write_tokens=100
    )


def test_citations_of_web_pages_and_blocks_that_openai_has_no_place_for() -> None:
    web = {
        "type": "web_search_result_location",
        "url": "https://example.com",
        "title": "Example",
        "cited_text": "…",
    }
    content = [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        {"type": "text", "text": "Héy. "},
        {"type": "text", "text": "Paris.", "citations": [web, {"type": "char_location"}]},
    ]
    answer = read({**sample(""), "content": content})["choices"][0]["message"]
    assert answer["content"] == "Héy. Paris."
    cited = {"start_index": 5, "end_index": 11, "url": "https://example.com", "title": "Example"}
    assert answer["annotations"] == [{"type": "url_citation", "url_citation": cited}]
    assert "tool_calls" not in answer


def test_an_error_under_a_200_is_that_error() -> None:
    with pytest.raises(Overloaded, match="Overloaded"):
        parse((GOLDEN / "error_529.json").read_bytes())


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{}", b"<html>", b"\xff", b"[" * 100_000, b'{"id":"\\ud800"}']
)
def test_what_is_no_message(body: bytes) -> None:
    with pytest.raises(MalformedResponse):
        parse(body)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(JSON | st.binary())
def test_anything_else_is_malformed(value: Any) -> None:
    with pytest.raises(MalformedResponse):
        parse(value)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in inner for place in ((*path, key), *places(item, (*path, key)))]


FULL = sample("_thinking")
FULL["content"] += sample("_tool_use")["content"]
FULL["content"][1]["citations"] = [{"type": "web_search_result_location", "url": "u", "title": "t"}]
FULL["content"].append({"type": "redacted_thinking", "data": "x"})
FULL["stop_details"] = sample("_refusal")["stop_details"]


@given(st.sampled_from(places(FULL)), JSON)
def test_a_message_with_anything_anywhere_is_read_or_malformed(place: tuple[Any, ...], value: Any) -> None:
    message = copy.deepcopy(FULL)
    spot = message
    for key in place[:-1]:
        spot = spot[key]
    spot[place[-1]] = value
    with contextlib.suppress(MalformedResponse):
        read(message)
