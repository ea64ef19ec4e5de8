"""Requests in OpenAI's dialect: the client's body, spelled the way of each provider."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.catalog import CATALOG
from providers.errors import RequestRejected
from providers.openai import chat, completions, embeddings
from providers.openai.request import short_call_id
from providers.types import Call, Operation, Quirks, Secret, Target
from tests.contract import recorded

MESSAGES = [{"role": "user", "content": "Hello"}]


def target(**fields: Any) -> Target:
    return Target(provider="p", dialect="openai", base_url="http://p.test/v1", model="theirs", **fields)


def sent(body: dict[str, Any], to: Target, operation: Operation = Operation.CHAT) -> dict[str, Any]:
    call = Call(operation, "ours", {"model": "ours", "messages": MESSAGES, **body})
    return json.loads(chat.build_request(call, to).body)


@pytest.mark.parametrize(
    ("adapter", "operation", "path"),
    [
        (chat, Operation.CHAT, "/chat/completions"),
        (completions, Operation.COMPLETIONS, "/completions"),
        (embeddings, Operation.EMBEDDINGS, "/embeddings"),
    ],
)
def test_posts_to_the_operations_path(adapter: Any, operation: Operation, path: str):
    request = adapter.build_request(
        recorded.call(operation), target(credential=Secret("k"), headers={"X-Title": "t"})
    )
    assert (request.method, request.url) == ("POST", "http://p.test/v1" + path)
    assert dict(request.headers) == {
        "content-type": "application/json",
        "accept": "application/json",
        "accept-encoding": "identity",
        "authorization": "Bearer k",
        "x-title": "t",
    }


def test_streams_ask_for_events_and_usage():
    request = chat.build_request(recorded.call(Operation.CHAT, stream=True), target())
    assert dict(request.headers)["accept"] == "text/event-stream"
    assert json.loads(request.body)["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("options", "result"),
    [
        (None, {"include_usage": True}),
        ({"include_usage": False}, {"include_usage": True}),
        ({"include_obfuscation": False}, {"include_obfuscation": False, "include_usage": True}),
        ("nonsense", "nonsense"),
    ],
)
def test_other_stream_options_are_kept(options: Any, result: Any):
    assert sent({"stream": True, "stream_options": options}, target())["stream_options"] == result


def test_stream_options_stay_away_where_they_are_not_taken():
    body = {"stream": True, "stream_options": {"include_usage": True}}
    assert "stream_options" not in sent(body, target(quirks=Quirks(stream_usage=False)))
    assert "stream_options" not in sent(body, target(drop=frozenset({"stream_options"})))
    assert "stream_options" not in sent({}, target())


def test_renames_unless_the_client_gave_both_names():
    to = target(rename={"max_completion_tokens": "max_tokens"})
    assert sent({"max_completion_tokens": 5}, to)["max_tokens"] == 5
    assert "max_completion_tokens" not in sent({"max_completion_tokens": 5}, to)
    both = sent({"max_completion_tokens": 5, "max_tokens": 6}, to)
    assert (both["max_completion_tokens"], both["max_tokens"]) == (5, 6)


def test_drops_what_the_configuration_says():
    assert "logit_bias" not in sent({"logit_bias": {}, "user": "u"}, target(drop=frozenset({"logit_bias"})))


def test_developer_messages_become_system_ones_where_the_role_is_unknown():
    messages = [{"role": "developer", "content": "Be brief."}, *MESSAGES]
    changed = sent({"messages": messages}, target(quirks=Quirks(developer_role=False)))["messages"]
    assert [m["role"] for m in changed] == ["system", "user"]
    assert sent({"messages": messages}, target())["messages"] == messages


def test_names_are_left_out_where_they_are_refused():
    messages = [{"role": "user", "name": "ann", "content": "Hello"}]
    assert sent({"messages": messages}, target(quirks=Quirks(message_names=False)))["messages"] == MESSAGES


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ({"logprobs": True, "top_logprobs": 3}, 3),
        ({"logprobs": True}, 1),
        ({"logprobs": True, "top_logprobs": 0}, 1),
        ({"logprobs": False}, None),
        ({"logprobs": 4}, 4),
    ],
)
def test_logprobs_become_a_number(body: dict[str, Any], result: int | None):
    got = sent(body, target(quirks=Quirks(logprobs_count=True)))
    assert got.get("logprobs") == result
    assert "top_logprobs" not in got


def test_one_stop_text_becomes_a_list():
    assert sent({"stop": "END"}, target(quirks=Quirks(stop_list=True)))["stop"] == ["END"]
    assert sent({"stop": ["a", "b"]}, target(quirks=Quirks(stop_list=True)))["stop"] == ["a", "b"]
    assert sent({"stop": "END"}, target())["stop"] == "END"


def test_call_ids_are_shortened_alike_in_calls_and_answers():
    messages = [
        {
            "role": "assistant",
            "tool_calls": [{"id": "call_0fypS1hVX", "type": "function", "function": {}}, {"id": 7}],
        },
        {"role": "tool", "tool_call_id": "call_0fypS1hVX", "content": "21"},
        {"role": "assistant", "tool_calls": [{"id": "g6fVbXS8K"}]},
    ]
    first, answer, third = sent({"messages": messages}, target(quirks=Quirks(short_call_ids=True)))[
        "messages"
    ]
    short = first["tool_calls"][0]["id"]
    assert len(short) == 9
    assert short.isalnum()
    assert answer["tool_call_id"] == short
    assert third["tool_calls"][0]["id"] == "g6fVbXS8K"


@given(id=st.text(max_size=60))
def test_short_ids_are_always_nine_letters_or_digits_and_stay_put(id: str):
    short = short_call_id(id)
    assert len(short) == 9
    assert short.isascii()
    assert short.isalnum()
    assert short_call_id(short) == short


def test_mistral_gets_its_own_spelling():
    row = CATALOG["mistral"]
    to = target(quirks=row.quirks, rename=row.rename, drop=row.drop)
    body = {"messages": [{"role": "developer", "name": "x", "content": "a"}], "seed": 1, "max_completion_tokens": 2,
            "stream": True, "stream_options": {"include_usage": True}}  # fmt: skip
    assert sent(body, to) == {
        "model": "theirs",
        "messages": [{"role": "system", "content": "a"}],
        "random_seed": 1,
        "max_tokens": 2,
        "stream": True,
    }


@pytest.mark.parametrize("quirks", [row.quirks for row in CATALOG.values()], ids=list(CATALOG))
@pytest.mark.parametrize(
    "messages", [None, 3, "x", [None, 1, "x", {}], [{"role": 1, "name": 2, "tool_calls": 3}]]
)
def test_wrong_messages_are_the_providers_to_refuse(quirks: Quirks, messages: Any):
    wrong = {"stop": 3} if "logprobs" in quirks.lacks else {"stop": 3, "logprobs": "x"}
    sent({"messages": messages, **wrong}, target(quirks=quirks))


def test_text_that_has_no_utf8_travels_escaped():
    request = chat.build_request(recorded.call(Operation.CHAT, user="\ud800"), target())
    assert b'"\\ud800"' in request.body


def test_numbers_beyond_64_bits_travel():
    assert sent({"seed": 10**40}, target())["seed"] == 10**40


def test_nesting_that_cannot_be_written_is_refused():
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(RequestRejected, match="nested too deep"):
        sent({"metadata": deep}, target())


def test_embeddings_have_no_stream():
    call = recorded.call(Operation.EMBEDDINGS, stream=True)
    with pytest.raises(RequestRejected, match="cannot be streamed"):
        embeddings.open_stream(call, target(), recorded.OK)
    assert "stream_options" not in json.loads(embeddings.build_request(call, target()).body)
