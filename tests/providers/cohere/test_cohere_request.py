"""What is sent to Cohere for what an OpenAI client asks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.cohere import chat, embeddings, rerank
from providers.errors import RequestRejected, UnsupportedParameter
from providers.types import Call, Head, HttpRequest, Operation, Quirks, Secret, Target

GOLDEN = Path(__file__).parents[2] / "golden" / "cohere"
HELLO = [{"role": "user", "content": "Hello"}]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def target(**changes: Any) -> Target:
    fields = {"provider": "cohere", "dialect": "cohere", "base_url": "https://api.cohere.com"}
    return Target(**{**fields, "model": "command-a-03-2025", "credential": Secret("co-secret"), **changes})


def build(body: dict[str, Any], **changes: Any) -> HttpRequest:
    return chat.build_request(Call(Operation.CHAT, "c", {"messages": HELLO, **body}), target(**changes))


def sent(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return json.loads(build(body, **changes).body)


def refusal(body: dict[str, Any], **changes: Any) -> RequestRejected:
    with pytest.raises(RequestRejected) as caught:
        sent(body, **changes)
    return caught.value


def golden(name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / name).read_text())


def test_golden_requests() -> None:
    plain = {
        "messages": [
            {"role": "developer", "content": "Answer in one short sentence."},
            {"role": "user", "content": "What is the capital of France?"},
        ],
        "max_completion_tokens": 64,
        "temperature": 0.3,
        "top_p": 0.75,
        "top_k": 0,
        "seed": 7,
        "n": 1,
        "stop": "END",
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
        "stream_options": None,
    }
    assert sent(plain) == golden("chat_request.json")
    schema = {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": CITY}}
    named = {"messages": [{"role": "user", "content": "Name a city as JSON."}], "response_format": schema}
    assert sent(named) == {**golden("chat_request_json.json"), "stream": False}
    loop = golden("chat_request_tools.json")
    ours = {**loop, "tool_choice": "auto", "parallel_tool_calls": True}
    del ours["model"], ours["strict_tools"]
    assert sent(ours) == {key: value for key, value in loop.items() if key != "strict_tools"}


def test_the_envelope() -> None:
    request = build({"stream": True}, headers={"X-Client-Name": "team"})
    assert (request.method, request.url) == ("POST", "https://api.cohere.com/v2/chat")
    assert dict(request.headers) == {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "authorization": "Bearer co-secret",
        "x-client-name": "team",
    }


def test_what_is_coheres_own_travels_untouched() -> None:
    own = {
        "documents": [{"data": {"text": "Matz made Ruby."}, "id": "doc:0"}],
        "citation_options": {"mode": "FAST"},
        "safety_mode": "STRICT",
        "priority": 1,
        "something_new": {"a": None},
    }
    assert sent(own) == {**sent({}), **own}
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}},
    ]
    assert sent({"messages": [{"role": "user", "content": parts}]})["messages"][0]["content"] == parts


REFUSED = {
    "n": (2, 1),
    "top_logprobs": (3, 0),
    "logit_bias": ({"50256": -100}, {}),
    "audio": ({"voice": "alloy", "format": "wav"}, None),
    "modalities": (["text", "audio"], ["text"]),
    "prediction": ({"type": "content", "content": "x"}, None),
    "store": (True, False),
    "verbosity": ("high", "medium"),
    "web_search_options": ({}, None),
    "metadata": ({"project": "a"}, {}),
    "service_tier": ("flex", "auto"),
    "parallel_tool_calls": (False, True),
    "user": ("u", None),
    "functions": ([{"name": "f"}], []),
    "temperature": (1.5, None),
    "top_p": (0.999, 1),
    "frequency_penalty": (-0.5, None),
    "presence_penalty": (1.5, None),
    "stop": (["a", "b", "c", "d", "e", "f"], []),
    "reasoning_effort": ("medium", None),
}


def test_what_cohere_cannot_take_is_refused_and_can_be_dropped() -> None:
    for name, (value, neutral) in REFUSED.items():
        error = refusal({name: value})
        assert type(error) is UnsupportedParameter, name
        assert error.param == name
        assert f"drop: [{name}]" in error.message
        assert sent({name: value}, drop=frozenset({name})) == sent({}), name
        assert sent({name: neutral}) == sent({}), name
    json_with_tools = {"response_format": {"type": "json_object"}, "tools": [tool("f")]}
    assert refusal(json_with_tools).param == "response_format"
    assert (
        refusal({"messages": [{"role": "user", "name": "Ann", "content": "Hi"}]}).param == "messages[0].name"
    )
    named = {"messages": [{"role": "user", "name": "Ann", "content": "Hello"}]}
    assert sent(named, quirks=Quirks(message_names=False)) == sent({})


def test_a_renamed_field_is_the_new_one() -> None:
    assert sent({"seed": 7}, rename={"seed": "random_seed"})["random_seed"] == 7
    assert refusal({"top_k": 1, "k": 2}).param == "k"
    assert refusal({"a": 1, "b": 2}, rename={"a": "b"}).param == "b"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"messages": "Hello"}, "messages"),
    ({"messages": ["Hello"]}, "messages[0]"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
    ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages[0].content[0]"),
    ({"messages": [{"role": "user", "content": [{"type": "file"}]}]}, "messages[0].content[0]"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
    ({"messages": [{"role": "assistant", "function_call": {}}]}, "messages[0].function_call"),
    ({"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]}, "messages[0].tool_calls[0]"),
    ({"max_tokens": "64"}, "max_tokens"),
    ({"max_tokens": 64, "max_completion_tokens": 65}, "max_tokens"),
    ({"temperature": "hot"}, "temperature"),
    ({"stop": ["a", 5]}, "stop[1]"),
    ({"logprobs": "yes"}, "logprobs"),
    ({"response_format": {"type": "grammar"}}, "response_format.type"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ({"tools": [5]}, "tools[0]"),
    ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0]"),
    ({"tool_choice": "sometimes"}, "tool_choice"),
    ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
    ({"tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice"),
]


def test_what_is_wrong_is_named() -> None:
    for body, param in WRONG:
        error = refusal(body)
        assert (error.param, bool(error.message)) == (param, True), body
    assert "Unicode" in refusal({"messages": [{"role": "user", "content": "\ud800"}]}).message


def tool(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": CITY, **more}}


def test_tools_and_choices() -> None:
    both = {"tools": [tool("a"), tool("b", strict=True)]}
    assert sent(both)["strict_tools"] is True
    assert sent(both)["tools"] == [tool("a"), tool("b")]
    assert "tool_choice" not in sent({**both, "tool_choice": "auto"})
    assert sent({**both, "tool_choice": "none"})["tool_choice"] == "NONE"
    assert sent({**both, "tool_choice": "required"})["tool_choice"] == "REQUIRED"
    one = sent({**both, "tool_choice": {"type": "function", "function": {"name": "a"}}})
    assert (one["tools"], one["tool_choice"]) == ([tool("a")], "REQUIRED")
    assert sent({"tool_choice": "none"}) == sent({})


def test_reasoning_is_switched_and_goes_back() -> None:
    assert sent({"reasoning_effort": "none"})["thinking"] == {"type": "disabled"}
    assert sent({"reasoning_effort": "high"})["thinking"] == {"type": "enabled"}
    said = {
        "role": "assistant",
        "content": "Paris.",
        "reasoning_content": "Recall.",
        "thinking_blocks": [
            {"index": 0, "type": "thinking", "thinking": "Recall."},
            {"index": 1, "type": "thinking", "thinking": "Of another vendor", "signature": "EqQB"},
        ],
        "citations": [{"index": 0, "start": 0, "end": 5, "text": "Paris"}],
        "tool_plan": None,
    }
    assert sent({"messages": [*HELLO, said, *HELLO]})["messages"][1] == {
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": "Recall."}, {"type": "text", "text": "Paris."}],
        "citations": [{"start": 0, "end": 5, "text": "Paris"}],
    }


names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
arguments = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3).map(
    json.dumps
)
turns = st.lists(
    st.lists(st.tuples(names, arguments, st.text(max_size=8)), min_size=1, max_size=3), min_size=1, max_size=4
)


@given(turns)
def test_a_conversation_with_tools_keeps_ids_order_names_and_arguments(
    asked: list[list[tuple[str, str, str]]],
):
    messages: list[dict[str, Any]] = [*HELLO]
    for turn, calls in enumerate(asked):
        made = [
            {"id": f"call_{turn}_{n}", "type": "function", "function": {"name": name, "arguments": given}}
            for n, (name, given, _) in enumerate(calls)
        ]
        messages.append({"role": "assistant", "content": None, "tool_calls": made})
        messages += [
            {"role": "tool", "tool_call_id": f"call_{turn}_{n}", "content": said}
            for n, (_, _, said) in enumerate(calls)
        ]
    declared = list(dict.fromkeys(name for calls in asked for name, _, _ in calls))
    body = {"messages": messages, "tools": [tool(name) for name in declared]}
    theirs = sent(body)
    for before, after in zip(messages, theirs["messages"], strict=True):
        assert before["role"] == after["role"]
        assert before.get("tool_call_id") == after.get("tool_call_id")
        if before["role"] != "assistant":
            assert before["content"] == after["content"]
            continue
        # What comes back from Cohere under its names reaches the client under the client's.
        answer = {"id": "a", "finish_reason": "TOOL_CALL", "message": after}
        call = Call(Operation.CHAT, "c", body)
        reply = chat.parse_response(call, target(), Head(200, {}), json.dumps(answer).encode())
        assert json.loads(reply.body)["choices"][0]["message"]["tool_calls"] == before["tool_calls"]
    renamed = [each["function"]["name"] for each in theirs["tools"]]
    assert len(set(renamed)) == len(declared)
    assert all(name.replace("_", "a").isalnum() and not name[0].isdigit() for name in renamed)


def embed(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    call = Call(Operation.EMBEDDINGS, "e", {"input": ["hello", "goodbye"], **body})
    return json.loads(embeddings.build_request(call, target(model="embed-v4.0", **changes)).body)


def test_embeddings() -> None:
    assert embed({"dimensions": 256, "truncate": "END"}) == golden("embeddings_request.json")
    assert embed({"encoding_format": "base64"})["embedding_types"] == ["float"]
    assert embed({"input": "one"})["texts"] == ["one"]
    assert embed({}, options={"input_type": "search_query"})["input_type"] == "search_query"
    assert embed({"input_type": "clustering"})["input_type"] == "clustering"
    picture = embed({"input": ["data:image/png;base64,AA=="], "input_type": "image"})
    assert (picture["images"], "texts" in picture) == (["data:image/png;base64,AA=="], False)
    for body, param in (
        ({"input": [1, 2, 3]}, "input"),
        ({"input": [[1], [2]]}, "input"),
        ({"input": []}, "input"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"embedding_types": ["int8", "float"]}, "embedding_types"),
        ({"user": "u"}, "user"),
    ):
        with pytest.raises(RequestRejected) as caught:
            embed(body)
        assert caught.value.param == param


def test_rerank() -> None:
    asked = golden("rerank_request.json")
    mixed = {**asked, "documents": [{"text": text} for text in asked["documents"]], "return_documents": True}
    for body in (asked, mixed):
        call = Call(Operation.RERANK, "r", body)
        request = rerank.build_request(call, target(model=asked["model"]))
        assert request.url == "https://api.cohere.com/v2/rerank"
        assert json.loads(request.body) == asked
    with pytest.raises(UnsupportedParameter) as caught:
        rerank.build_request(Call(Operation.RERANK, "r", {**asked, "documents": [{"title": "x"}]}), target())
    assert caught.value.param == "documents[0]"
    for name, value in (("rank_fields", ["title"]), ("max_chunks_per_doc", 10)):
        old = Call(Operation.RERANK, "r", {**asked, name: value})
        with pytest.raises(UnsupportedParameter) as caught:
            rerank.build_request(old, target())
        assert caught.value.param == name
        dropped = rerank.build_request(old, target(model=asked["model"], drop=frozenset({name})))
        assert json.loads(dropped.body) == asked
