"""What Converse answers: whole, streamed, and as errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from providers import errors as e
from providers.bedrock import chat
from providers.types import Call, Head, Operation, Target, Usage
from tests.providers.test_frames import frame

GOLDEN = Path(__file__).parents[2] / "golden" / "bedrock"
OK = Head(200, {"x-amzn-requestid": "r-1"})
ANSWER = "The capital of France is Paris."
TARGET = Target("bedrock", "bedrock", "https://b.test", "model-1")
NAMES = ("text", "tool_use", "reasoning")
USAGE = Usage(input_tokens=22, output_tokens=8)


def event(kind: str, **payload: Any) -> bytes:
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, json.dumps({**payload, "p": "abc"}).encode())


def exception(kind: str, message: str = "no") -> bytes:
    return frame(
        {":exception-type": kind, ":message-type": "exception"}, json.dumps({"message": message}).encode()
    )


def opened(include_usage: bool = True, **fields: Any):
    options = {"stream_options": {"include_usage": include_usage}}
    return chat.open_stream(
        Call(Operation.CHAT, "m", {"stream": True, **options, **fields}, "abc", 7), TARGET, OK
    )


def read(*pieces: bytes, **how: Any) -> list[Any]:
    decoder = opened(**how)
    return [*(chunk for piece in pieces for chunk in decoder.feed(piece)), *decoder.close()]


def recorded(name: str) -> bytes:
    return (GOLDEN / f"converse_stream_{name}.eventstream.bin").read_bytes()


def events_of(chunks: list[Any]) -> list[Any]:
    return [json.loads(chunk.data) for chunk in chunks if chunk.data]


def whole(document: Any) -> Any:
    call = Call(Operation.CHAT, "m", {}, "abc", 7)
    return json.loads(chat.parse_response(call, TARGET, OK, json.dumps(document).encode()).body)


def test_recorded_answers() -> None:
    said = {}
    for name in ("response", "response_reasoning", "response_tool_use"):
        data = (GOLDEN / f"converse_{name}.json").read_bytes()
        reply = chat.parse_response(Call(Operation.CHAT, "m", {}, "abc", 7), TARGET, OK, data)
        body = ChatCompletion.model_validate_json(reply.body)
        assert (body.id, body.model, body.created) == ("chatcmpl-r-1", "model-1", 7)
        counts = json.loads(data)["usage"]
        assert reply.usage == Usage(counts["inputTokens"], counts["outputTokens"])
        assert body.usage is not None
        assert body.usage.total_tokens == counts["totalTokens"]
        said[name] = json.loads(reply.body)["choices"][0]
    assert said["response"]["message"]["content"] == ANSWER
    assert said["response"]["finish_reason"] == "stop"
    thoughtful = said["response_reasoning"]["message"]
    assert thoughtful["reasoning_content"] == "Recall capitals."
    assert thoughtful["thinking_blocks"] == [
        {"type": "thinking", "thinking": "Recall capitals.", "signature": "EvYBCkgICxABGAIq"}
    ]
    calling = said["response_tool_use"]
    assert calling["finish_reason"] == "tool_calls"
    (call,) = calling["message"]["tool_calls"]
    assert call["function"] == {"name": "get_weather", "arguments": '{"location":"Paris"}'}


def test_recorded_streams_say_the_same_wherever_they_are_split() -> None:
    for name in NAMES:
        data = recorded(name)
        chunks = read(data)
        for at in range(0, len(data) + 1, 3):
            assert read(data[:at], data[at:]) == chunks
        assert read(*(data[at : at + 1] for at in range(len(data)))) == chunks
        *events, usage = events_of(chunks)
        assert usage["choices"] == []
        assert usage["usage"]["total_tokens"] == 30
        assert chunks[-1].usage == USAGE
        assert events_of(read(data, include_usage=False)) == [
            {key: value for key, value in each.items() if key != "usage"} for each in events
        ]
        state = ChatCompletionStreamState()
        for each in (*events, usage):
            state.handle_chunk(ChatCompletionChunk.model_validate(each))
        choice = state.get_final_completion().choices[0]
        assert choice.message.role == "assistant"
        if name == "tool_use":
            assert choice.finish_reason == "tool_calls"
            assert choice.message.tool_calls
            assert json.loads(choice.message.tool_calls[0].function.arguments) == {"location": "Paris"}
            assert choice.message.content == "Let me check."
        else:
            assert (choice.finish_reason, choice.message.content) == ("stop", ANSWER)
        if name == "reasoning":
            assert [event["choices"][0]["delta"].get("thinking_blocks") for event in events][1] == [
                {
                    "index": 0,
                    "type": "thinking",
                    "thinking": "Recall capitals.",
                    "signature": "Ep0CCkgICxABGAIq",
                }
            ]
        sizes = sum(chunk.text_bytes for chunk in chunks)
        assert sizes == sum(
            len(text)
            for each in events
            for delta in [each["choices"][0]["delta"]]
            for text in (
                delta.get("content"),
                delta.get("reasoning_content"),
                *(call["function"]["arguments"] for call in delta.get("tool_calls", ())),
            )
            if text
        )


def test_a_stream_cut_before_its_end_is_an_error() -> None:
    data = recorded("text")
    stop = data.index(b"messageStop")
    complete = []
    for at in range(len(data)):
        decoder = opened()
        decoder.feed(data[:at])
        try:
            decoder.close()
        except e.StreamTruncated:
            continue
        complete.append(at)
    # Between its last two frames all has been said but the usage.
    assert len(complete) == 1
    assert complete[0] > stop
    decoder = opened()
    decoder.feed(data)
    assert decoder.finished
    assert list(decoder.feed(b"garbage")) == []


def test_exceptions_within_a_stream_keep_what_came_before() -> None:
    begun = event("messageStart", role="assistant") + event(
        "contentBlockDelta", contentBlockIndex=0, delta={"text": "Hi"}
    )
    for data, kind in [
        (exception("throttlingException"), e.RateLimited),
        (exception("modelStreamErrorException"), e.ServerFault),
        (exception("internalServerException"), e.ServerFault),
        (exception("serviceUnavailableException"), e.Overloaded),
        (exception("modelTimeoutException"), e.TimeoutReported),
        (exception("validationException", "Input is too long for requested model."), e.ContextLengthExceeded),
        (exception("neverHeardOf"), e.ServerFault),
        (frame({":message-type": "error", ":error-code": "ThrottlingException", ":error-message": "slow"}, b""), e.RateLimited),
        (event("messageStop", stopReason="malformed_tool_use"), e.ServerFault),
        (event("contentBlockDelta", contentBlockIndex=0, delta={"text": 5}), e.MalformedResponse),
        (event("contentBlockDelta", contentBlockIndex=9, delta={"toolUse": {"input": "x"}}), e.MalformedResponse),
        (event("contentBlockDelta", contentBlockIndex="x", delta={}), e.MalformedResponse),
        (event("metadata", usage={}), e.MalformedResponse),
        (b"\0" * 16, e.MalformedResponse),
    ]:  # fmt: skip
        with pytest.raises(e.UpstreamError) as caught:
            opened().feed(begun + data)
        assert type(caught.value) is kind, data
        assert [c["choices"][0]["delta"]["content"] for c in events_of(list(caught.value.chunks))] == ["Hi"]


def test_stop_reasons() -> None:
    for said, reason in [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("tool_use", "stop"),  # it says so, and has called nothing
    ]:
        body = {"output": {"message": {"content": [{"text": "x"}]}}, "stopReason": said, "usage": {}}
        assert whole(body)["choices"][0]["finish_reason"] == reason
        streamed = events_of(read(event("messageStop", stopReason=said) + event("metadata", usage={})))
        assert streamed[0]["choices"][0]["finish_reason"] == reason


def test_cached_tokens_are_part_of_the_prompt() -> None:
    counts = {
        "inputTokens": 5,
        "outputTokens": 7,
        "totalTokens": 1,
        "cacheReadInputTokens": 20,
        "cacheWriteInputTokens": 30,
    }
    usage = whole({"output": {"message": {"content": []}}, "stopReason": "end_turn", "usage": counts})[
        "usage"
    ]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (55, 7, 62)
    assert usage["prompt_tokens_details"] == {"cached_tokens": 20, "cache_write_tokens": 30}


def test_what_openai_has_no_name_for_keeps_bedrocks() -> None:
    more = {"additionalModelResponseFields": {"/stop_sequence": "x"}}
    body = {
        "output": {"message": {"content": []}},
        "stopReason": "end_turn",
        "usage": {},
        "trace": {"guardrail": {}},
    }
    answer = whole({**body, **more})
    assert (answer["trace"], answer["additionalModelResponseFields"]) == (
        {"guardrail": {}}, {"/stop_sequence": "x"}
    )  # fmt: skip
    assert "trace" not in whole({**body, "trace": None})
    ended = event("messageStop", stopReason="end_turn", **more)
    traced = ended + event("metadata", usage={}, trace={"guardrail": {}})
    for include_usage in (True, False):
        end, last, *usage = events_of(read(traced, include_usage=include_usage))
        assert end["additionalModelResponseFields"] == {"/stop_sequence": "x"}
        assert last["trace"] == {"guardrail": {}}
        assert last["choices"][0]["delta"] == {}
        assert len(usage) == include_usage


def test_other_blocks() -> None:
    cited = {
        "content": [{"text": "Paris"}, {"text": "."}],
        "citations": [
            {"title": "Atlas", "location": {"web": {"url": "https://a.test"}}},
            {"title": "Mine", "location": {"documentPage": {"documentIndex": 0}}},
        ],
    }
    content = [{"reasoningContent": {"redactedContent": "AA"}}, {"citationsContent": cited}, {"hologram": {}}]
    message = whole({"output": {"message": {"content": content}}, "stopReason": "end_turn", "usage": {}})[
        "choices"
    ][0]["message"]
    assert message["content"] == "Paris."
    assert message["thinking_blocks"] == [{"type": "redacted_thinking", "data": "AA"}]
    assert [each["url_citation"]["url"] for each in message["annotations"]] == ["https://a.test"]
    chunks = events_of(
        read(
            event(
                "contentBlockDelta",
                contentBlockIndex=0,
                delta={"reasoningContent": {"redactedContent": "AA"}},
            )
            + event("contentBlockStop", contentBlockIndex=0)
            + event("contentBlockDelta", contentBlockIndex=1, delta={"text": "Paris"})
            + event("contentBlockDelta", contentBlockIndex=1, delta={"citation": cited["citations"][0]})
            + event("contentBlockStop", contentBlockIndex=1)
            + event("newKind", x=1)
            + event("messageStop", stopReason="end_turn")
            + event("metadata", usage={})
        )
    )
    deltas = [each["choices"][0]["delta"] for each in chunks if each["choices"]]
    assert deltas[0]["thinking_blocks"] == [{"index": 0, "type": "redacted_thinking", "data": "AA"}]
    assert deltas[1] == {"content": "Paris"}
    assert deltas[2]["annotations"][0]["url_citation"]["url"] == "https://a.test"


def test_errors_and_their_classes() -> None:
    for name, kind in [
        ("400", e.ModelNotFound),
        ("403", e.CredentialRejected),
        ("404", e.ModelNotFound),
        ("408", e.TimeoutReported),
        ("424", e.ServerFault),
        ("429", e.RateLimited),
        ("500", e.ServerFault),
        ("503", e.Overloaded),
    ]:
        lines = (GOLDEN / f"error_{name}.headers.txt").read_text().splitlines()
        headers = dict(line.split(": ", 1) for line in lines if line)
        error = chat.parse_error(Head(int(name), headers), (GOLDEN / f"error_{name}.json").read_bytes(), 0)
        assert type(error) is kind, name
        assert error.status == int(name)
        assert error.type == headers["x-amzn-errortype"].partition(":")[0]
    for status, named, message, kind in [
        (400, "ValidationException", "Input is too long for requested model.", e.ContextLengthExceeded),
        (400, "ValidationException", "Invocation of model ID x with on-demand throughput isn\u2019t supported.", e.ModelNotFound),
        (400, "ValidationException", "This model doesn't support tool use.", e.UnsupportedParameter),
        (400, "ValidationException", "The text field in the ContentBlock object is blank.", e.RequestRejected),
        (400, "ServiceQuotaExceededException", "x", e.QuotaExhausted),
        (403, "UnrecognizedClientException", "The security token included in the request is invalid.", e.CredentialRejected),
        (403, "InvalidSignatureException", "x", e.CredentialRejected),
        (403, "ExpiredTokenException", "x", e.CredentialRejected),
        (429, "ThrottlingException", "Too many tokens per day, please wait", e.QuotaExhausted),
        (429, "ModelNotReadyException", "x", e.Overloaded),
        (418, "", "x", e.RequestRejected),
    ]:  # fmt: skip
        body = json.dumps({"Message": message, "__type": f"com.amazon.coral.service#{named}"}).encode()
        assert type(chat.parse_error(Head(status, {}), body, 0)) is kind, (named, message)
    assert chat.parse_error(Head(429, {"retry-after": "3"}), b"<html>", 0).retry_after == 3
