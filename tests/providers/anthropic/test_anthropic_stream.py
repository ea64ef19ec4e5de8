"""What an OpenAI client reads of Anthropic's streams, however the network splits them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from providers.adapter import StreamDecoder
from providers.anthropic import chat
from providers.errors import MalformedResponse, Overloaded, ResponseTooLarge, StreamTruncated, UpstreamError
from providers.types import Call, Chunk, Head, Operation, Target, Usage

GOLDEN = Path(__file__).parents[2] / "golden" / "anthropic"
TARGET = Target("anthropic", "anthropic", "https://api.anthropic.com", "claude-haiku-4-5")
WHOLE = ["stream_text", "stream_thinking", "stream_tool_use"]
MESSAGE = {"id": "msg_1", "model": "m", "content": [], "usage": {"input_tokens": 5, "output_tokens": 1}}
START = {"type": "message_start", "message": MESSAGE}
END = [
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}},
    {"type": "message_stop"},
]


def opened(**body: Any) -> StreamDecoder:
    body = {"messages": [{"role": "user", "content": "x"}], "stream": True, **body}
    return chat.open_stream(Call(Operation.CHAT, "claude", body, "id", 1795161600), TARGET, Head(200, {}))


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.sse").read_bytes()


def events(name: str) -> list[bytes]:
    return [event + b"\n\n" for event in golden(name).split(b"\n\n") if event.strip()]


def sse(*values: Any) -> bytes:
    return b"".join(b"event: x\ndata: " + json.dumps(value).encode() + b"  \n\n" for value in values)


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def run(data: bytes, **body: Any) -> list[Chunk]:
    decoder = opened(**body)
    assert not decoder.finished
    chunks = [*decoder.feed(data), *decoder.close()]
    assert decoder.finished
    return chunks


def seen(chunks: Iterable[Chunk]) -> list[dict[str, Any]]:
    parsed = [json.loads(chunk.data) for chunk in chunks if chunk.data]
    for value in parsed:
        ChatCompletionChunk.model_validate(value, strict=True)
    return parsed


def deltas(chunks: Iterable[Chunk]) -> list[dict[str, Any]]:
    return [choice["delta"] for value in seen(chunks) for choice in value["choices"]]


def test_text() -> None:
    chunks = run(golden("stream_text"))
    assert deltas(chunks) == [
        {"role": "assistant", "content": "The capital"},
        {"content": " of France"},
        {"content": " is Paris."},
        {},
    ]
    parsed = seen(chunks)
    assert parsed[0] == {
        "id": "msg_01QC4g3HwBThD4BaNtBckFDJ",
        "object": "chat.completion.chunk",
        "created": 1795161600,
        "model": "claude-haiku-4-5-20251001",
        "choices": [
            {
                "index": 0,
                "delta": {"role": "assistant", "content": "The capital"},
                "logprobs": None,
                "finish_reason": None,
            }
        ],
    }
    assert [value["choices"][0]["finish_reason"] for value in parsed] == [None, None, None, "stop"]
    assert [chunk.text_bytes for chunk in chunks if chunk.data] == [11, 10, 10, 0]
    assert not any(b"\n" in chunk.data or b"[DONE]" in chunk.data for chunk in chunks)
    assert {chunk.model for chunk in chunks} == {"claude-haiku-4-5-20251001"}


def test_usage_is_told_early_and_at_the_end() -> None:
    told = [chunk for chunk in run(golden("stream_text")) if chunk.usage]
    assert [chunk.data for chunk in told] == [b"", b""]
    # The placeholder for the output in the first event does not count.
    assert [chunk.usage for chunk in told] == [
        Usage(input_tokens=20),
        Usage(input_tokens=20, output_tokens=10),
    ]


def test_the_usage_chunk_for_clients_that_want_it() -> None:
    chunks = run(golden("stream_text"), stream_options={"include_usage": True})
    *others, last = seen(chunks)
    assert all(value["usage"] is None for value in others)
    assert last["choices"] == []
    assert (last["usage"]["prompt_tokens"], last["usage"]["completion_tokens"]) == (20, 10)
    assert chunks[-1].usage == Usage(input_tokens=20, output_tokens=10)
    assert all("usage" not in value for value in seen(run(golden("stream_text"))))


def test_later_counts_replace_earlier_ones_and_silence_does_not() -> None:
    start = {**START, "message": {**MESSAGE, "usage": {"input_tokens": 5, "cache_read_input_tokens": 100}}}
    details = {"output_tokens": 9, "input_tokens": None, "output_tokens_details": {"thinking_tokens": 4}}
    end = [{"type": "message_delta", "delta": {}, "usage": details}, END[1]]
    chunks = run(sse(start, *end))
    assert [chunk.usage for chunk in chunks if chunk.usage][-1] == Usage(
        input_tokens=105, output_tokens=9, cached_tokens=100, reasoning_tokens=4
    )


def test_reasoning_is_readable_and_goes_back_whole() -> None:
    chunks = run(golden("stream_thinking"))
    assert deltas(chunks) == [
        {"role": "assistant", "reasoning_content": "The user wants"},
        {"reasoning_content": " the capital."},
        {
            "thinking_blocks": [
                {
                    "index": 0,
                    "type": "thinking",
                    "thinking": "The user wants the capital.",
                    "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pk=",
                }
            ]
        },
        {"content": "The capital"},
        {"content": " of France"},
        {"content": " is Paris."},
        {},
    ]
    assert [chunk.text_bytes for chunk in chunks if chunk.data] == [14, 13, 0, 11, 10, 10, 0]


def test_hidden_reasoning() -> None:
    hidden = {"type": "redacted_thinking", "data": "EmwK"}
    unshown = {"type": "thinking", "thinking": "", "signature": ""}
    signature = {"type": "signature_delta", "signature": "c2ln"}
    chunks = run(sse(START, *block(0, hidden), *block(1, unshown, signature), *END))
    assert deltas(chunks) == [
        {"role": "assistant", "thinking_blocks": [{"index": 0, **hidden}]},
        {"thinking_blocks": [{"index": 1, **unshown, "signature": "c2ln"}]},
        {},
    ]


def test_a_tool_call() -> None:
    chunks = run(golden("stream_tool_use"))
    name = {"name": "get_weather", "arguments": ""}
    assert deltas(chunks) == [
        {"role": "assistant", "content": "Let me check."},
        {
            "tool_calls": [
                {"index": 0, "id": "toolu_01QE1WLsSVp5hy5Q3GmGTmjP", "type": "function", "function": name}
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"location"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ': "Paris"}'}}]},
        {},
    ]
    assert seen(chunks)[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert [chunk.text_bytes for chunk in chunks if chunk.data] == [13, 0, 11, 10, 0]


def tool(number: int, **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{number}", "name": "f", "input": given}


def test_calls_are_counted_from_zero_and_always_have_arguments() -> None:
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    query = {"type": "input_json_delta", "partial_json": '{"query":'}
    nothing = {"type": "input_json_delta", "partial_json": ""}
    found = [*block(3, search, query), *block(5, tool(1), nothing), *block(6, tool(2, a=1))]
    calls = [call for delta in deltas(run(sse(START, *found, *END))) for call in delta.get("tool_calls", [])]
    function = {"name": "f", "arguments": ""}
    assert calls == [
        {"index": 0, "id": "toolu_1", "type": "function", "function": function},
        {"index": 0, "function": {"arguments": "{}"}},
        {"index": 1, "id": "toolu_2", "type": "function", "function": function},
        {"index": 1, "function": {"arguments": '{"a":1}'}},
    ]


def test_a_function_call_for_clients_that_speak_functions() -> None:
    chunks = run(golden("stream_tool_use"), functions=[{"name": "get_weather"}])
    assert [delta["function_call"] for delta in deltas(chunks) if "function_call" in delta] == [
        {"name": "get_weather", "arguments": ""},
        {"arguments": '{"location"'},
        {"arguments": ': "Paris"}'},
    ]
    assert seen(chunks)[-1]["choices"][0]["finish_reason"] == "function_call"


def test_the_helper_of_openais_sdk_puts_it_together_and_anthropic_gets_its_blocks_back() -> None:
    web = {"type": "web_search_result_location", "url": "https://example.com", "title": "t"}
    cited = {"type": "citations_delta", "citation": web}
    thoughts = [
        {"type": "thinking", "thinking": "a", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "E"},
    ]
    text = {"type": "text", "text": "b"}
    content = [thoughts[0], text, thoughts[1], text, tool(1, a=1), tool(2)]
    deltas_of = {1: [cited], 3: [cited]}
    found = [event for i, start in enumerate(content) for event in block(i, start, *deltas_of.get(i, []))]
    state = ChatCompletionStreamState()
    for value in seen(run(sse(START, *found, *END))):
        state.handle_chunk(ChatCompletionChunk.model_validate(value))
    message = json.loads(state.get_final_completion().choices[0].message.model_dump_json())
    assert message["content"] == "bb"
    assert [call["id"] for call in message["tool_calls"]] == ["toolu_1", "toolu_2"]
    assert [call["function"]["arguments"] for call in message["tool_calls"]] == ['{"a":1}', "{}"]
    assert len(message["annotations"]) == 2
    history = [{"role": "user", "content": "x"}, message]
    request = chat.build_request(Call(Operation.CHAT, "claude", {"messages": history}), TARGET)
    expected = [*thoughts, {"type": "text", "text": "bb"}, *content[4:]]
    assert json.loads(request.body)["messages"][1] == {"role": "assistant", "content": expected}


def test_a_refusal_without_any_block() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "Blocked by policy."}
    end = {"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": details}}
    chunks = run(sse(START, end, END[1]))
    assert deltas(chunks) == [{"role": "assistant", "refusal": "Blocked by policy."}, {}]
    assert seen(chunks)[-1]["choices"][0]["finish_reason"] == "content_filter"


def test_an_answer_that_says_nothing_still_has_a_role() -> None:
    assert deltas(run(sse(START, *END))) == [{"role": "assistant"}]


def test_citations_come_when_their_text_is_whole() -> None:
    web = {"type": "web_search_result_location", "url": "https://example.com", "title": None}
    cited = [{"type": "citations_delta", "citation": web}, {"type": "text_delta", "text": "Pâris"}]
    found = [*block(0, {"type": "text", "text": "Hé "}), *block(1, {"type": "text", "text": ""}, *cited)]
    url = {"start_index": 3, "end_index": 8, "url": "https://example.com", "title": ""}
    assert deltas(run(sse(START, *found, *END)))[2] == {
        "annotations": [{"index": 0, "type": "url_citation", "url_citation": url}]
    }


def test_what_the_providers_own_tools_did_is_kept_and_goes_back_where_it_stood() -> None:
    search = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    query = [{"type": "input_json_delta", "partial_json": piece} for piece in ('{"query":', '"x"}')]
    result = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"url": "u"}]}
    late = {"type": "mcp_tool_use", "id": "m", "name": "n", "input": {"a": 1}}
    grown = {"type": "compaction_delta", "content": "b"}
    text = {"type": "text", "text": "Found."}
    content = [search, result, text, tool(1), late, {"type": "compaction", "content": "a"}]
    asked = {**search, "input": {"query": "x"}}
    kept = [asked, result, late, {"type": "compaction", "content": "ab"}]
    more = {0: query, 5: [grown]}
    found = [event for i, start in enumerate(content) for event in block(i, start, *more.get(i, []))]
    used = {"type": "message_delta", "delta": {"stop_reason": "tool_use"},
            "usage": {"output_tokens": 5, "server_tool_use": {"web_search_requests": 1}}}  # fmt: skip
    chunks = run(sse(START, *found, used, {"type": "message_stop"}))
    usages = [chunk.usage for chunk in chunks if chunk.usage]
    assert usages[-1].searches == 1
    state = ChatCompletionStreamState()
    for value in seen(chunks):
        state.handle_chunk(ChatCompletionChunk.model_validate(value))
    message = json.loads(state.get_final_completion().choices[0].message.model_dump_json())
    assert [entry["item"] for entry in message["output_items"]] == kept
    whole = {"id": "msg_1", "model": "c", "content": [asked, result, text, tool(1), late, kept[3]],
             "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1}}  # fmt: skip
    reply = chat.parse_response(
        Call(Operation.CHAT, "c", {}), TARGET, Head(200, {}), json.dumps(whole).encode()
    )
    said = json.loads(reply.body)["choices"][0]["message"]
    for history in (message, said):
        call = Call(Operation.CHAT, "claude", {"messages": [{"role": "user", "content": "x"}, history]})
        back = json.loads(chat.build_request(call, TARGET).body)["messages"][1]["content"]
        assert back == [asked, result, text, tool(1), *kept[2:]]


def test_what_is_unknown_is_kept_or_ignored() -> None:
    text = {"type": "text_delta", "text": "é"}
    odd = {"type": "odd_delta", "text": 5}
    found = [
        {"type": "ping"},
        {"type": "odd_event", "delta": "x", "index": []},
        *block(0, {"type": "odd_block"}, odd, text),
        *block(1, {"type": "text", "text": ""}, odd, text),
        *block(2, {"type": "thinking"}, odd),
    ]
    chunks = run(sse({"type": "ping"}, START, *found, *END, {"type": "message_start"}))
    first, said, *_ = deltas(chunks)
    assert first["output_items"][0]["item"] == {"type": "odd_block", "text": "é"}
    assert said == {"content": "é"}
    assert sum(chunk.text_bytes for chunk in chunks) == 2


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_split_gives_the_same(name: str, end: bytes) -> None:
    data = golden(name).replace(b"capital", "çapital".encode()).replace(b"\n", end)
    whole = run(data)
    for at in range(1, len(data)):
        decoder = opened()
        assert [*decoder.feed(data[:at]), *decoder.feed(data[at:]), *decoder.close()] == whole
    decoder = opened()
    assert [chunk for i in range(len(data)) for chunk in decoder.feed(data[i : i + 1])] == whole


@pytest.mark.parametrize("name", WHOLE)
def test_a_stream_that_ends_early_is_truncated(name: str) -> None:
    pieces = events(name)
    for count in range(len(pieces)):
        decoder = opened()
        chunks = decoder.feed(b"".join(pieces[:count]))
        assert not decoder.finished
        assert all(value["choices"][0]["finish_reason"] is None for value in seen(chunks))
        with pytest.raises(StreamTruncated):
            decoder.close()


def test_an_error_event_keeps_what_came_before_it() -> None:
    decoder = opened()
    with pytest.raises(Overloaded, match="Overloaded") as caught:
        decoder.feed(golden("stream_error_overloaded"))
    assert deltas(caught.value.chunks) == [
        {"role": "assistant", "content": "The capital"},
        {"content": " of France"},
    ]
    assert caught.value.chunks[0].usage == Usage(input_tokens=20)
    with pytest.raises(StreamTruncated):
        decoder.close()


def test_a_stream_that_fails_before_its_first_word_has_sent_nothing() -> None:
    error = {"type": "error", "error": {"type": "api_error", "message": "Internal server error"}}
    with pytest.raises(UpstreamError) as caught:
        opened().feed(sse(START, {"type": "ping"}, error))
    assert [chunk.data for chunk in caught.value.chunks] == [b""]


TEXT = block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "a"})
BROKEN = [
    b"data: {\n\n",
    b"data: []\n\n",
    b"data: \xff\n\n",
    b"data: " + b"[" * 100_000 + b"\n\n",
    sse({}),
    sse({"type": 5}),
    sse(TEXT[0]),
    sse({"type": "message_start"}),
    sse(START, START),
    sse(START, TEXT[1]),
    sse(START, *TEXT, TEXT[1]),
    sse(START, {**TEXT[0], "content_block": {}}),
    sse(START, {**TEXT[0], "content_block": {"type": "tool_use", "id": "a"}}),
    sse(START, {**TEXT[0], "content_block": {**tool(1), "input": [1]}}),
    sse(START, TEXT[0], {**TEXT[1], "delta": {"type": "text_delta", "text": None}}),
    sse(START, {"type": "message_delta", "delta": {}, "usage": {"output_tokens": -1}}),
]


@pytest.mark.parametrize("data", BROKEN)
def test_an_event_that_cannot_be_read(data: bytes) -> None:
    with pytest.raises(MalformedResponse):
        opened().feed(data)


def test_a_line_without_end_is_too_large() -> None:
    decoder = opened()
    with pytest.raises(ResponseTooLarge) as caught:
        decoder.feed(sse(START, *TEXT) + b"data: " + b"x" * (1 << 21))
    assert deltas(caught.value.chunks) == [{"role": "assistant", "content": "a"}]


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
TYPES = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "error",
]
EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES)},
    optional={
        "index": st.integers(0, 1) | JSON,
        "delta": st.sampled_from([part["delta"] for part in TEXT if "delta" in part]) | JSON,
        "content_block": st.sampled_from([tool(1), {"type": "text", "text": ""}, {"type": "thinking"}])
        | JSON,
        "usage": JSON,
        "error": JSON,
        "message": JSON,
    },
)


@given(st.lists(EVENTS, max_size=6))
def test_any_events_are_read_or_an_upstream_error(values: list[Any]) -> None:
    with contextlib.suppress(UpstreamError):
        seen(opened().feed(sse(START, *values)))
