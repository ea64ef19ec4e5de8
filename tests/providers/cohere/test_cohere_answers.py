"""What an OpenAI client reads of Cohere's answers, streams and errors."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from providers import errors
from providers.cohere import chat, embeddings, rerank
from providers.types import Call, Chunk, Head, Operation, RateLimits, Reply, Target, Usage

GOLDEN = Path(__file__).parents[2] / "golden" / "cohere"
NOW = 1_795_161_600
OK = Head(200, {})
TARGET = Target("cohere", "cohere", "https://api.cohere.com", "command-a-03-2025")


def call(**fields: Any) -> Call:
    return Call(Operation.CHAT, "c", {"messages": [], **fields}, id="abc", created=NOW)


def answer(name: str) -> tuple[dict[str, Any], Reply]:
    reply = chat.parse_response(call(), TARGET, OK, (GOLDEN / name).read_bytes())
    return json.loads(reply.body), reply


def stream(data: bytes, **fields: Any) -> list[Chunk]:
    decoder = chat.open_stream(call(stream=True, **fields), TARGET, OK)
    return [*decoder.feed(data), *decoder.close()]


def deltas(data: bytes) -> list[dict[str, Any]]:
    events = [json.loads(chunk.data) for chunk in stream(data) if chunk.data]
    return [event["choices"][0]["delta"] for event in events]


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(b"event: x\ndata: " + json.dumps(event).encode() + b"\n\n" for event in events)


def test_whole_answers() -> None:
    body, reply = answer("chat_response.json")
    assert body == {
        "id": "e7592632-1e3d-424f-b129-bd5f9f980f7b",
        "object": "chat.completion",
        "created": NOW,
        "model": "command-a-03-2025",
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
            "prompt_tokens": 507,
            "completion_tokens": 10,
            "total_tokens": 517,
            "prompt_tokens_details": {"cached_tokens": 448},
            "completion_tokens_details": {"reasoning_tokens": 0},
            "billed_units": {"input_tokens": 12, "output_tokens": 7},
        },
    }
    assert reply.usage == Usage(507, 10, cached_tokens=448, billed=(12, 7))
    assert answer("chat_response_max_tokens.json")[0]["choices"][0]["finish_reason"] == "length"
    cited = answer("chat_response_citations.json")[0]["choices"][0]["message"]
    assert cited["citations"][0]["sources"][0]["id"] == "doc:0"
    thought, reply = answer("chat_response_thinking.json")
    assert thought["choices"][0]["message"]["reasoning_content"] == "Recall capitals."
    assert thought["choices"][0]["message"]["thinking_blocks"] == [
        {"type": "thinking", "thinking": "Recall capitals."}
    ]
    assert reply.usage == Usage(508, 86, cached_tokens=144, reasoning_tokens=28, billed=(8, 50))
    planned = answer("chat_response_tool_call.json")[0]["choices"][0]
    assert planned["finish_reason"] == "tool_calls"
    assert planned["message"]["content"] is None
    assert planned["message"]["tool_plan"] == "I will look up the weather."
    assert planned["message"]["reasoning_content"] == "I will look up the weather."
    assert planned["message"]["tool_calls"][0]["function"] == {
        "name": "get_weather",
        "arguments": '{"location":"Paris"}',
    }


def test_streams_say_what_whole_answers_say() -> None:
    texts = deltas((GOLDEN / "stream_text.sse").read_bytes())
    assert "".join(each.get("content", "") for each in texts) == "The capital of France is Paris."
    thinking = deltas((GOLDEN / "stream_thinking.sse").read_bytes())
    assert "".join(each.get("reasoning_content", "") for each in thinking) == "Recall capitals."
    assert [each["thinking_blocks"] for each in thinking if "thinking_blocks" in each] == [
        [{"index": 0, "type": "thinking", "thinking": "Recall capitals."}]
    ]
    tools = deltas((GOLDEN / "stream_tool_call.sse").read_bytes())
    assert "".join(each.get("tool_plan", "") for each in tools) == "I will look it up."
    pieces = [each["tool_calls"][0] for each in tools if "tool_calls" in each]
    assert pieces[0]["id"] == "get_weather_dqgshstja6p9"
    assert "".join(piece["function"]["arguments"] for piece in pieces) == '{"location":"Paris"}'
    counts = [chunk.usage for chunk in stream((GOLDEN / "stream_text.sse").read_bytes()) if chunk.usage]
    assert counts == [Usage(507, 10, cached_tokens=448, billed=(12, 7))]


START = {"id": "a", "type": "message-start", "delta": {"message": {"role": "assistant", "content": []}}}
END = {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}


def test_events_that_the_samples_lack() -> None:
    cite = {"start": 0, "end": 1, "text": "x", "sources": []}
    citation = {"type": "citation-start", "index": 0, "delta": {"message": {"citations": cite}}}
    likely = {"token_ids": [1], "text": "Hi", "logprobs": [-0.5]}
    text = {
        "type": "content-delta",
        "index": 0,
        "delta": {"message": {"content": {"text": "Hi"}}},
        "logprobs": likely,
    }
    made = {"id": "t", "type": "function", "function": {"name": "my_now", "arguments": ""}}
    begin = {"type": "tool-call-start", "index": 3, "delta": {"message": {"tool_calls": made}}}
    ended = {"type": "tool-call-end", "index": 3}
    debug = {"type": "debug", "prompt": "…"}
    data = sse(START, debug, text, citation, citation, begin, ended, END)
    found = deltas(data)
    assert [each["citations"][0]["index"] for each in found if "citations" in each] == [0, 1]
    assert [each["tool_calls"][0]["function"].get("arguments") for each in found if "tool_calls" in each] == [
        "",
        "{}",
    ]
    said = json.loads(stream(data)[0].data)["choices"][0]["logprobs"]["content"]
    assert said == [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}]
    # An answer that calls is finished by its calls, whatever the provider's word is.
    assert json.loads(stream(data)[-1].data)["choices"][0]["finish_reason"] == "tool_calls"


def test_streams_that_fail() -> None:
    text = {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Hi"}}}}
    failed = {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "generation failed"}}
    late = {"type": "message-end", "delta": {"finish_reason": "TIMEOUT"}}
    for last, kind in (
        (failed, errors.ServerFault),
        (late, errors.TimeoutReported),
        ({"message": "internal server error"}, errors.ServerFault),
        ({"id": "a"}, errors.MalformedResponse),
        ({"type": "tool-call-delta", "index": 9}, errors.MalformedResponse),
        ({"type": "tool-call-start", "delta": {"message": {"tool_calls": {}}}}, errors.MalformedResponse),
    ):
        with pytest.raises(errors.UpstreamError) as caught:
            stream(sse(START, text, last))
        assert type(caught.value) is kind, last
        assert len(caught.value.chunks) == 1
    with pytest.raises(errors.StreamTruncated):
        stream(sse(START, text))
    # Before it has said anything nothing is sent, so that another target may answer.
    with pytest.raises(errors.ServerFault) as caught:
        stream(sse(START, failed))
    assert not caught.value.chunks


ERRORS = {
    "error_400.json": errors.RequestRejected,
    "error_400_too_many_tokens.json": errors.ContextLengthExceeded,
    "error_401.json": errors.CredentialRejected,
    "error_402.json": errors.QuotaExhausted,
    "error_404.json": errors.ModelNotFound,
    "error_422.json": errors.UnsupportedParameter,
    "error_429.json": errors.RateLimited,
    "error_499.json": errors.RequestRejected,
    "error_500.json": errors.ServerFault,
    "error_503.json": errors.Overloaded,
}


def test_errors_have_their_class() -> None:
    assert {path.name for path in GOLDEN.glob("error_*.json")} == ERRORS.keys()
    for name, kind in ERRORS.items():
        error = chat.parse_error(Head(int(name[6:9]), {}), (GOLDEN / name).read_bytes(), NOW)
        assert type(error) is kind, name
        assert error.message
    monthly = b'{"message": "You are using a Trial key, which is limited to 1000 API calls / month."}'
    assert type(chat.parse_error(Head(429, {"retry-after": "7"}), monthly, NOW)) is errors.QuotaExhausted
    assert chat.parse_error(Head(429, {"retry-after": "7"}), monthly, NOW).retry_after == 7
    assert type(chat.parse_error(Head(498, {}), b"{}", NOW)) is errors.CredentialRejected
    assert chat.parse_limits(Head(200, {"x-trial-endpoint-call-remaining": "39"}), NOW) == RateLimits(39)


def test_vectors_come_in_the_encoding_that_was_asked_for() -> None:
    data = (GOLDEN / "embeddings_response.json").read_bytes()
    said = json.loads(data)["embeddings"]["float"]
    plain, packed = (
        embeddings.parse_response(
            Call(Operation.EMBEDDINGS, "e", {"input": ["a", "b"], "encoding_format": encoding}),
            TARGET,
            OK,
            data,
        )
        for encoding in (None, "base64")
    )
    assert [item["embedding"] for item in json.loads(plain.body)["data"]] == said
    body = json.loads(packed.body)
    assert [item["index"] for item in body["data"]] == [0, 1]
    assert body["usage"] == {"prompt_tokens": 2, "total_tokens": 2}
    for item, vector in zip(body["data"], said, strict=True):
        assert struct.unpack("<4f", base64.b64decode(item["embedding"])) == pytest.approx(vector)


def test_rankings_keep_their_shape() -> None:
    data, asked = (
        (GOLDEN / "rerank_response.json").read_bytes(),
        json.loads((GOLDEN / "rerank_request.json").read_text()),
    )
    reply = rerank.parse_response(Call(Operation.RERANK, "r", asked), TARGET, OK, data)
    assert (reply.body, reply.usage) == (data, Usage(searches=1))
    echoed = rerank.parse_response(
        Call(Operation.RERANK, "r", {**asked, "return_documents": True}), TARGET, OK, data
    )
    results = json.loads(echoed.body)["results"]
    assert results[0]["document"] == {"text": asked["documents"][results[0]["index"]]}
    for bad in (b"{}", b"[]", b"", b'{"results": [{"index": 0}]}', data[:-9]):
        with pytest.raises(errors.MalformedResponse):
            rerank.parse_response(Call(Operation.RERANK, "r", asked), TARGET, OK, bad)
    with pytest.raises(errors.MalformedResponse):
        rerank.parse_response(
            Call(Operation.RERANK, "r", {"documents": [], "return_documents": True}), TARGET, OK, data
        )
