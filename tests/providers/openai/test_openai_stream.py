"""Streams in OpenAI's dialect, as the many servers that nearly speak it send them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types import Completion
from openai.types.chat import ChatCompletionChunk

from providers import errors as e
from providers.adapter import StreamDecoder
from providers.types import BETWEEN, Chunk, Operation, Quirks, Usage
from tests.contract import recorded
from tests.contract.recorded import GOLDEN, OK, Recorded

STREAMS = [
    c
    for c in recorded.streams()
    # The SDK's helper raises for a filtered answer.
    if c.speaks in {"openai", "azure"} and c.name != "stream_content_filter_stop.sse"
]
ANSWER = "The capital of France is Paris."


def open_stream(*, exact: bool = False, asked: bool = False, quirks: Quirks | None = None) -> StreamDecoder:
    case = Recorded("openai", Operation.CHAT, "", b"", exact=exact)
    if quirks is None:
        return case.open(include_usage=asked)
    options = {"stream_options": {"include_usage": True}} if asked else {}
    return case.adapter.open_stream(
        case.call(stream=True, **options), replace(case.target(), quirks=quirks), OK
    )


def sse(*events: Any, done: bool = True) -> bytes:
    lines = [b"data: " + (e if isinstance(e, bytes) else json.dumps(e).encode()) + b"\n\n" for e in events]
    return b"".join(lines) + b"data: [DONE]\n\n" * done


def event(delta: dict[str, Any] | None = None, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}], **fields}  # fmt: skip


def events_of(chunks: list[Chunk]) -> list[dict[str, Any]]:
    return [json.loads(chunk.data) for chunk in chunks if chunk.data]


def clean(*events: Any, **how: Any) -> list[dict[str, Any]]:
    return events_of(recorded.read(open_stream(**how), [sse(*events)]))


def deltas(*events: Any, **how: Any) -> list[dict[str, Any]]:
    return [choice["delta"] for event in clean(*events, **how) for choice in event["choices"]]


@pytest.mark.parametrize("case", STREAMS, ids=str)
def test_the_sdk_reads_every_event_strictly_and_puts_the_answer_together(case: Recorded):
    events = events_of(recorded.read(case.open(include_usage=True), [case.data]))
    if case.operation is Operation.COMPLETIONS:
        assert "".join(c["text"] for event in events for c in event["choices"]) == " Paris."
        # OpenAI's own events have no finish reason before the last, which its strict type does not know.
        assert Completion.model_validate(events[-2]).choices[0].finish_reason == "stop"
        return
    state = ChatCompletionStreamState()
    for event in events:
        # Groq's `service_tier` is a word of its own, which travels as it is.
        event.pop("service_tier", None)
        state.handle_chunk(ChatCompletionChunk.model_validate(event))
    message = state.get_final_completion().choices[0].message
    assert message.role == "assistant"
    if "tool_call" in case.name:
        assert message.tool_calls
        for call in message.tool_calls:
            assert call.type == "function"
            assert call.function.name == "get_weather"
            assert set(json.loads(call.function.arguments)) & {"location", "city"}
    else:
        assert message.content == ANSWER


def test_openai_streams_pass_through_byte_for_byte():
    case = next(c for c in STREAMS if c.name == "chat_stream_text.sse" and c.exact)
    lines = [line[6:] for line in case.data.split(b"\n\n") if line.startswith(b"data: {")]
    assert [chunk.data for chunk in recorded.read(case.open(include_usage=True), [case.data])] == lines
    *texts, usage = recorded.read(case.open(), [case.data])
    assert [chunk.data for chunk in texts] == lines[:-1]
    assert usage.data == b""
    assert usage.usage == Usage(24, 8)


def test_an_exact_event_over_two_lines_leaves_as_one():
    data = b'data: {"choices":[{"index":0,\ndata: "delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
    (chunk,) = recorded.read(open_stream(exact=True), [data])
    assert b"\n" not in chunk.data
    assert json.loads(chunk.data)["choices"][0]["delta"] == {"content": "a"}


def test_calls_without_index_or_type_get_both():
    one = {"id": "g6fVbXS8K", "function": {"name": "f", "arguments": "{}"}}
    two = {"id": "h6fVbXS8K", "function": {"name": "g", "arguments": {"a": 1}}}
    (delta,) = deltas(event({"role": "assistant", "tool_calls": [one, two]}, "tool_calls"))
    assert delta["tool_calls"] == [
        {"index": 0, "id": "g6fVbXS8K", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {
            "index": 1,
            "id": "h6fVbXS8K",
            "type": "function",
            "function": {"name": "g", "arguments": '{"a":1}'},
        },
    ]


def pieces(*calls: dict[str, Any]) -> dict[int, str]:
    """Join the argument pieces of each call by its index, as clients do."""
    joined: dict[int, str] = {}
    for delta in deltas(*(event({"tool_calls": [call]}) for call in calls), event(finish="tool_calls")):
        for call in delta.get("tool_calls", ()):
            joined[call["index"]] = joined.get(call["index"], "") + call["function"]["arguments"]
    return joined


def test_pieces_of_calls_find_their_call():
    begin_a = {"id": "a", "function": {"name": "f", "arguments": "1"}}
    begin_b = {"id": "b", "function": {"name": "f", "arguments": "2"}}
    more = {"function": {"arguments": "+"}}
    # By index, with a gap; by id under one index for all; by order alone.
    assert pieces(
        {**begin_a, "index": 1}, {**begin_b, "index": 4}, {**more, "index": 1}, {**more, "index": 4}
    ) == {
        0: "1+",
        1: "2+",
    }
    assert pieces({**begin_a, "index": 0}, {**begin_b, "index": 0}, {**more, "index": 0}) == {0: "1", 1: "2+"}
    assert pieces({**begin_a, "index": 0}, {**begin_a, "index": 0}) == {0: "11"}
    assert pieces(begin_a, more, begin_b, more) == {0: "1+", 1: "2+"}
    no_ids = (
        {"function": {"name": "f", "arguments": "1"}},
        more,
        {"function": {"name": "g", "arguments": "2"}},
    )
    assert pieces(*no_ids) == {0: "1+", 1: "2"}
    late_id = ({"index": 0, "function": {"name": "f", "arguments": "1"}}, {**more, "index": 0, "id": "late"})
    assert pieces(*late_id) == {0: "1+"}


def test_a_call_without_an_id_gets_one_and_a_repeated_name_is_said_once():
    call = {"index": 0, "function": {"name": "f", "arguments": "x"}}
    first, second, _ = deltas(
        event({"tool_calls": [call]}), event({"tool_calls": [call]}), event(finish="tool_calls")
    )
    assert first["tool_calls"][0]["id"] == "call_abc_0_0"
    assert second["tool_calls"] == [{"index": 0, "function": {"arguments": "x"}}]


def test_the_role_comes_once():
    said = deltas(*(event({"role": "assistant", "content": "a"}) for _ in range(3)), event(finish="stop"))
    assert [d.get("role") for d in said] == ["assistant", None, None, None]
    assert deltas(event({"content": "a"}, "stop"))[0]["role"] == "assistant"


def test_the_end_comes_once_and_usage_in_an_event_of_its_own():
    usage = {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3, "cost": 0.1}
    stream = (
        event({"content": "a"}),
        event({"content": ""}, "stop"),
        event({"content": ""}, "stop", usage=usage),
    )
    a, b, last = clean(*stream, asked=True)
    assert [x["choices"][0]["finish_reason"] for x in (a, b)] == [None, "stop"]
    assert (a["usage"], b["usage"]) == (None, None)
    assert (last["choices"], last["usage"]) == ([], usage)
    assert [("usage" in x, len(x["choices"])) for x in clean(*stream)] == [(False, 1), (False, 1)]


def test_the_last_of_many_usages_counts():
    stream = [event({"content": "a"}, usage={"prompt_tokens": 5, "completion_tokens": n}) for n in (1, 2, 3)]
    chunks = recorded.read(open_stream(asked=True), [sse(*stream, event(finish="stop"))])
    assert [c.usage for c in chunks if c.usage][-1] == Usage(5, 3)
    last = json.loads(chunks[-1].data)
    assert last["usage"]["completion_tokens"] == 3
    assert sum(bool(x["usage"]) for x in events_of(chunks)) == 1


def test_empty_first_events_are_left_out():
    assert len(clean({"choices": [], "prompt_filter_results": []}, event({"content": "a"}, "stop"))) == 1


def test_finish_reasons_follow_what_was_called():
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
    assert (
        clean(event({"tool_calls": [call]}), event(finish="stop"))[-1]["choices"][0]["finish_reason"]
        == "tool_calls"
    )
    assert (
        clean(event({"content": "a"}), event(finish="tool_use"))[-1]["choices"][0]["finish_reason"] == "stop"
    )
    assert clean(event({"content": "a"}), event(finish="eos"))[-1]["choices"][0]["finish_reason"] == "stop"


def test_reasoning_has_one_name_and_unknown_fields_stay():
    (said,) = clean(event({"content": "", "reasoning": "why", "new": 1}, "stop", provider="Acme"))
    assert said["choices"][0]["delta"] == {
        "role": "assistant",
        "content": "",
        "reasoning_content": "why",
        "new": 1,
    }
    assert said["provider"] == "Acme"


def test_missing_envelopes_are_filled():
    (said,) = clean({"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]})
    assert (said["id"], said["object"], said["created"]) == (
        "chatcmpl-abc",
        "chat.completion.chunk",
        recorded.CREATED,
    )
    assert (said["model"], said["choices"][0]["index"]) == ("some-model", 0)


def test_several_choices_end_each_on_its_own():
    def piece(index: int, finish: str | None) -> dict[str, Any]:
        return {"choices": [{"index": index, "delta": {"content": "a"}, "finish_reason": finish}]}

    for exact in (True, False):
        decoder = open_stream(exact=exact)
        decoder.feed(sse(piece(0, None), piece(1, None), piece(0, "stop"), done=False))
        with pytest.raises(e.StreamTruncated):
            decoder.close()
        decoder = open_stream(exact=exact)
        decoder.feed(sse(piece(0, "stop"), piece(1, "stop"), done=False))
        assert list(decoder.close()) == []


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", e.StreamTruncated),
        (b"\n\n", e.StreamTruncated),
        (b": ping\n\n", e.StreamTruncated),
        (b"data: {", e.StreamTruncated),
        (b"<html>no</html>", e.MalformedResponse),
        (b"hello", e.MalformedResponse),
        (b'{"choices":[]}', e.MalformedResponse),
        (b'{"error":{"message":"busy","code":503}}', e.Overloaded),
    ],
)
def test_what_is_no_stream(exact: bool, data: bytes, kind: type[e.UpstreamError]):
    decoder = open_stream(exact=exact)
    decoder.feed(data)
    with pytest.raises(kind) as caught:
        decoder.close()
    assert type(caught.value) is kind


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (b"data: {oops\n\n", e.MalformedResponse),
        (b"data: 3\n\n", e.MalformedResponse),
        (b'data: "text"\n\n', e.MalformedResponse),
        (b'data: {"choices":[{"delta":3}]}\n\n', e.MalformedResponse),
        (b"data: \xff\n\n", e.MalformedResponse),
        (b"data: " + b"[" * 100_000 + b"\n\n", e.MalformedResponse),
        (b"data: " + b"x" * (1 << 20) + b"\n\n", e.ResponseTooLarge),
        (b'data: {"error":{"message":"m","type":"server_error","code":null}}\n\n', e.ServerFault),
        (b'data: {"error":"m"}\n\n', e.ServerFault),
        (b'data: {"error":["m"]}\n\n', e.ServerFault),
        (b'data: [{"error":{"code":429,"message":"m"}}]\n\n', e.RateLimited),
        (b'event: error\ndata: {"message":"m","code":"rate_limit_exceeded"}\n\n', e.RateLimited),
        (b'data: {"object":"error","message":"m","code":500}\n\n', e.ServerFault),
    ],
)
def test_bad_events_keep_what_came_before(exact: bool, bad: bytes, kind: type[e.UpstreamError]):
    good = sse(event({"role": "assistant", "content": "a"}), event({"content": "b"}), done=False)
    with pytest.raises(kind) as caught:
        open_stream(exact=exact).feed(good + bad)
    assert type(caught.value) is kind
    kept = [json.loads(data) for chunk in caught.value.chunks for data in chunk.data.split(BETWEEN)]
    assert [each["choices"][0]["delta"]["content"] for each in kept] == ["a", "b"]


def test_errors_midway_as_recorded():
    for name, provider, kind in (
        ("openai/chat_stream_error_midway.sse", "openai", e.ServerFault),
        ("openrouter/stream_error_midway.sse", "openrouter", e.ServerFault),
    ):
        case = Recorded(provider, Operation.CHAT, name, (GOLDEN / name).read_bytes())
        with pytest.raises(kind) as caught:
            case.open().feed(case.data)
        assert len(caught.value.chunks) >= 1


def test_an_error_in_a_choice_is_an_error():
    bad = {
        "choices": [
            {"index": 0, "delta": {}, "finish_reason": "error", "error": {"code": 429, "message": "slow"}}
        ]
    }
    with pytest.raises(e.RateLimited, match="slow"):
        open_stream().feed(sse(bad))


def test_a_system_without_resources_is_overloaded():
    with pytest.raises(e.Overloaded):
        open_stream().feed(sse(event({"content": "a"}), event(finish="insufficient_system_resource")))


def test_xai_reasoning_is_counted_in_streams():
    case = next(c for c in STREAMS if str(c) == "xai/stream_tool_call.sse")
    usage = [c.usage for c in recorded.read(case.open(), [case.data]) if c.usage][-1]
    assert usage.input_tokens + usage.output_tokens == 560


def test_keep_alives_without_data_are_nothing():
    assert len(recorded.read(open_stream(), [b"data:\n\n" + sse(event({"content": "a"}, "stop"))])) == 1


def test_finished_says_that_nothing_more_is_needed():
    decoder = open_stream(exact=True)
    decoder.feed(sse(event({"content": "a"}, "stop"), done=False))
    assert not decoder.finished
    decoder.feed(b"data: [DONE]\n\n")
    assert decoder.finished


@pytest.mark.parametrize("asked", [False, True])
def test_what_comes_in_one_piece_is_read_at_once_up_to_its_usage(asked: bool):
    counts = {"prompt_tokens": 9, "completion_tokens": 7}
    said = [event({"content": f"wörd{number} "}) for number in range(5)]
    other = [event({"reasoning_content": "hm", "tool_calls": [{"function": {"arguments": "{}"}}]})]
    bare = {**event(usage=counts), "choices": []}
    endings = {
        "in the last": [event({}, "stop", usage=counts)],
        "in an event of its own": [event({}, "stop"), bare],
        "in one amid": [event({"content": "x"}, usage={"completion_tokens": 3}), event({}, "stop", usage=counts)],
        "in the first": [event({}, "stop", usage=counts), event({"content": "late"})],
        "nowhere": [event({}, "stop")],
    }  # fmt: skip
    for name, ending in endings.items():
        whole = sse(*said, *other, *ending)
        at_once = open_stream(exact=True, asked=asked).feed(whole)
        one_by_one = recorded.read(
            open_stream(exact=True, asked=asked), [each + b"\n\n" for each in whole.split(b"\n\n") if each]
        )
        parts = [part for chunk in at_once for part in chunk.data.split(BETWEEN) if part]
        assert parts == [chunk.data for chunk in one_by_one if chunk.data], name
        assert sum(c.text_bytes for c in at_once) == sum(c.text_bytes for c in one_by_one), name
        assert [c.usage for c in at_once if c.usage] == [c.usage for c in one_by_one if c.usage], name
        assert len(at_once) <= 1 + len(ending), name
