"""Ollama's own dialect: what is sent to it for what an OpenAI client asks, and what the client reads of it."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import errors
from providers.errors import RequestRejected, UnsupportedParameter
from providers.ollama import chat, embeddings
from providers.types import Call, Chunk, Head, HttpRequest, Operation, Quirks, Target, Usage

GOLDEN = Path(__file__).parents[2] / "golden" / "ollama_native"
HELLO = [{"role": "user", "content": "Hello"}]
NOW = 1_795_161_600
OK = Head(200, {})


def target(**changes: Any) -> Target:
    fields = {"provider": "ollama", "dialect": "ollama", "base_url": "http://127.0.0.1:11434/v1"}
    return Target(**{**fields, "model": "qwen3", **changes})


def call(**fields: Any) -> Call:
    return Call(Operation.CHAT, "q", {"messages": HELLO, **fields}, id="abc", created=NOW)


def build(body: dict[str, Any], **changes: Any) -> HttpRequest:
    return chat.build_request(call(**body), target(**changes))


def sent(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return json.loads(build(body, **changes).body)


def refusal(body: dict[str, Any], **changes: Any) -> RequestRejected:
    with pytest.raises(RequestRejected) as caught:
        sent(body, **changes)
    return caught.value


def golden(name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / name).read_text())


def test_the_golden_request() -> None:
    wanted = golden("chat_request.json")
    picture = {
        "type": "image_url",
        "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"},
    }
    question = {"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]}
    schema = {"name": "city", "schema": wanted["format"]}
    asked = {
        "messages": [{"role": "developer", "content": "Be brief."}, question],
        "reasoning_effort": "none",
        "response_format": {"type": "json_schema", "json_schema": schema},
        "temperature": 0.2,
        "top_p": 0.9,
        "max_completion_tokens": 64,
        "num_ctx": 8192,
        "options": {"seed": 7},
        "stop": "END",
        "keep_alive": "5m",
        "tools": wanted["tools"],
        "tool_choice": "auto",
        "stream_options": {"include_usage": True},
    }
    assert sent(asked) == wanted
    request = build({"stream": True})
    assert request.url == "http://127.0.0.1:11434/api/chat"
    assert dict(request.headers)["accept"] == "application/x-ndjson"
    assert build({}, base_url="https://ollama.com").url == "https://ollama.com/api/chat"


REFUSED = {
    "n": (2, 1),
    "logit_bias": ({"50256": -100}, {}),
    "audio": ({"voice": "alloy"}, None),
    "parallel_tool_calls": (False, True),
    "store": (True, False),
    "user": ("u", None),
    "tool_choice": ("required", "auto"),
    "reasoning_effort": ("xhigh", None),
    "metadata": ({"a": "b"}, {}),
}


def test_what_ollama_cannot_take_is_refused_and_can_be_dropped() -> None:
    for name, (value, neutral) in REFUSED.items():
        error = refusal({name: value})
        assert (type(error), error.param) == (UnsupportedParameter, name)
        assert sent({name: value}, drop=frozenset({name})) == sent({}), name
        assert sent({name: neutral}) == sent({}), name
    named = {"messages": [{"role": "user", "name": "Ann", "content": "Hello"}]}
    assert refusal(named).param == "messages[0].name"
    assert sent(named, quirks=Quirks(message_names=False)) == sent({})
    assert sent({"seed": 1}, rename={"seed": "num_keep"})["options"] == {"num_keep": 1}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"messages": "Hello"}, "messages"),
    ({"messages": [{"role": "robot"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [{"type": "file"}]}]}, "messages[0].content[0]"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
    ({"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]}, "messages[0].tool_calls[0]"),
    ({"temperature": 1, "options": {"temperature": 2}}, "options.temperature"),
    ({"max_tokens": 1, "max_completion_tokens": 2}, "max_tokens"),
    ({"stop": [5]}, "stop[0]"),
    ({"tools": [{"type": "custom"}]}, "tools[0]"),
    ({"response_format": {"type": "grammar"}}, "response_format.type"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ({"logprobs": 1}, "logprobs"),
]


def test_what_is_wrong_is_named() -> None:
    for body, param in WRONG:
        assert refusal(body).param == param, body
    far = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    error = refusal({"messages": [{"role": "user", "content": [far]}]})
    assert (type(error), error.param) == (UnsupportedParameter, "messages[0].content[0].image_url.url")
    bad = {"id": "a", "function": {"name": "f", "arguments": "[1]"}}
    assert refusal({"messages": [{"role": "assistant", "tool_calls": [bad]}]}).param is not None


def test_thinking_formats_and_log_probabilities() -> None:
    assert sent({"reasoning_effort": "minimal"})["think"] == "low"
    assert sent({"reasoning_effort": "high"})["think"] == "high"
    assert sent({"response_format": {"type": "json_object"}})["format"] == "json"
    assert sent({"logprobs": True, "top_logprobs": 3})["top_logprobs"] == 3
    assert "tools" not in sent({"tools": golden("chat_request.json")["tools"], "tool_choice": "none"})
    said = {"role": "assistant", "content": "Paris.", "reasoning_content": "Recall."}
    assert sent({"messages": [*HELLO, said]})["messages"][1]["thinking"] == "Recall."


values = st.dictionaries(st.text(max_size=5), st.integers(-99, 99) | st.text(max_size=5), max_size=3)
turns = st.lists(
    st.lists(st.tuples(st.text(min_size=1, max_size=8), values, st.text(max_size=8)), min_size=1, max_size=3),
    min_size=1,
    max_size=3,
)


@given(turns)
def test_a_conversation_with_tools_keeps_ids_order_names_and_arguments(
    asked: list[list[tuple[str, Any, str]]],
):
    messages: list[dict[str, Any]] = [*HELLO]
    for turn, calls in enumerate(asked):
        made = [
            {
                "id": f"call_{turn}_{n}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(given)},
            }
            for n, (name, given, _) in enumerate(calls)
        ]
        messages.append({"role": "assistant", "content": None, "tool_calls": made})
        messages += [
            {"role": "tool", "tool_call_id": f"call_{turn}_{n}", "content": said}
            for n, (_, _, said) in enumerate(calls)
        ]
    theirs = sent({"messages": messages})["messages"]
    names = {each["id"]: each["function"]["name"] for m in messages for each in m.get("tool_calls", ())}
    for before, after in zip(messages, theirs, strict=True):
        if before["role"] == "tool":
            assert after["tool_name"] == names[before["tool_call_id"]] == names[after["tool_call_id"]]
        if before["role"] == "assistant":
            line = {"model": "qwen3", "message": after, "done": True, "done_reason": "stop"}
            reply = chat.parse_response(call(), target(), OK, json.dumps(line).encode())
            back = json.loads(reply.body)["choices"][0]["message"]["tool_calls"]
            assert [(b["id"], b["function"]["name"]) for b in back] == [
                (b["id"], b["function"]["name"]) for b in before["tool_calls"]
            ]
            assert [json.loads(b["function"]["arguments"]) for b in back] == [
                json.loads(b["function"]["arguments"]) for b in before["tool_calls"]
            ]


def stream(*pieces: bytes, usage: bool = False) -> list[Chunk]:
    options = {"stream_options": {"include_usage": True}} if usage else {}
    decoder = chat.open_stream(call(stream=True, **options), target(), OK)
    return [*(chunk for piece in pieces for chunk in decoder.feed(piece)), *decoder.close()]


def events(chunks: list[Chunk]) -> list[dict[str, Any]]:
    return [json.loads(chunk.data) for chunk in chunks if chunk.data]


def test_streams() -> None:
    text = (GOLDEN / "stream_text.ndjson").read_bytes()
    *found, last = events(stream(text, usage=True))
    said = [event["choices"][0]["delta"] for event in found]
    assert said[0] == {"role": "assistant", "reasoning_content": "Recall."}
    assert "".join(each.get("content", "") for each in said) == "The capital of France is Paris."
    assert found[-1]["choices"][0]["finish_reason"] == "stop"
    assert (last["choices"], last["usage"]) == (
        [],
        {"prompt_tokens": 26, "completion_tokens": 8, "total_tokens": 34},
    )
    assert [chunk.usage for chunk in stream(text) if chunk.usage] == [Usage(26, 8)]
    calls = events(stream((GOLDEN / "stream_tool_call.ndjson").read_bytes()))
    assert calls[0]["choices"][0]["delta"]["tool_calls"] == [
        {
            "index": 0,
            "id": "call_a1b2c3d4",
            "type": "function",
            "function": {"name": "get_weather", "arguments": '{"location":"Paris"}'},
        }
    ]
    assert calls[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_streams_read_alike_wherever_they_are_split_and_break_where_they_are_cut() -> None:
    for path in sorted(GOLDEN.glob("stream_*.ndjson")):
        data = path.read_bytes().strip() + b"\n"
        whole = stream(data)
        assert stream(*(data[at : at + 1] for at in range(len(data)))) == whole
        for at in range(len(data) - 1):
            assert stream(data[:at], data[at:]) == whole
            if at < len(data) - 2:
                with pytest.raises(errors.StreamTruncated):
                    stream(data[:at])
        # The last line is whole without its end too, and what follows it is nothing.
        assert stream(data[:-1]) == whole
        assert stream(data + b"garbage\n") == whole


def test_streams_that_fail() -> None:
    first = (GOLDEN / "stream_text.ndjson").read_bytes().partition(b"\n")[0] + b"\n"
    for line, kind in (
        (b'{"error": "llama runner process has terminated"}', errors.ServerFault),
        (b'{"error": "too many requests", "status_code": 429}', errors.RateLimited),
        (b"{oops", errors.MalformedResponse),
        (b"[]", errors.MalformedResponse),
        (b"[" * 100_000, errors.MalformedResponse),
        (b'{"done": "yes"}', errors.MalformedResponse),
        (b"x" * (5 << 20), errors.ResponseTooLarge),
    ):
        with pytest.raises(errors.UpstreamError) as caught:
            stream(first + line + b"\n")
        assert type(caught.value) is kind
        assert len(caught.value.chunks) == 1


ERRORS = {
    (400, "qwen3 does not support tools"): errors.UnsupportedParameter,
    (400, "invalid format"): errors.RequestRejected,
    (400, "input exceeds the available context size"): errors.ContextLengthExceeded,
    (401, "unauthorized"): errors.CredentialRejected,
    (404, "model 'foo' not found"): errors.ModelNotFound,
    (429, "you have reached your hourly usage limit"): errors.QuotaExhausted,
    (429, "slow down"): errors.RateLimited,
    (500, "model requires more system memory (9 GiB) than is available (4 GiB)"): errors.ModelNotFound,
    (500, "boom"): errors.ServerFault,
    (503, "server busy, please try again. maximum pending requests exceeded"): errors.Overloaded,
}


def test_errors_have_their_class() -> None:
    for (status, text), kind in ERRORS.items():
        error = chat.parse_error(Head(status, {}), json.dumps({"error": text}).encode(), NOW)
        assert (type(error), error.message) == (kind, text)


def test_embeddings() -> None:
    def ask(**fields: Any) -> Call:
        return Call(Operation.EMBEDDINGS, "e", {"input": "hello", **fields})

    request = embeddings.build_request(ask(dimensions=3, keep_alive=-1, encoding_format="base64"), target())
    assert request.url == "http://127.0.0.1:11434/api/embed"
    assert json.loads(request.body) == {
        "model": "qwen3",
        "input": ["hello"],
        "dimensions": 3,
        "keep_alive": -1,
    }
    data = (GOLDEN / "embeddings_response.json").read_bytes()
    packed = json.loads(embeddings.parse_response(ask(encoding_format="base64"), target(), OK, data).body)
    vector = struct.unpack("<3f", base64.b64decode(packed["data"][0]["embedding"]))
    assert vector == pytest.approx(json.loads(data)["embeddings"][0])
    with pytest.raises(UnsupportedParameter) as caught:
        embeddings.build_request(ask(input=[1, 2]), target())
    assert caught.value.param == "input"
