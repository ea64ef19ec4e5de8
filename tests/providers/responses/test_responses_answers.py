"""What a chat client gets of what a Responses API answers, whole and streamed."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import errors as e
from providers.responses.chat import CHAT
from providers.types import Call, Chunk, Head, Operation, Target, Usage
from tests.contract import recorded
from tests.contract.recorded import CREATED, GOLDEN, OK

TARGET = Target("openai", "responses", "https://api.openai.test/v1", "gpt-5-pro")
ASKED = Call(
    Operation.CHAT, "gpt-5-pro", {"stream": True, "stream_options": {"include_usage": True}}, "abc", CREATED
)
MESSAGE = {
    "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
    "content": [{
        "type": "output_text", "text": "Paris, é.",
        "annotations": [{"type": "url_citation", "url": "https://x.test", "title": "X", "start_index": 0, "end_index": 5}],
        "logprobs": [{"token": "Paris", "logprob": -0.1, "top_logprobs": [{"token": "P", "logprob": -3.0}]}],
    }],
}  # fmt: skip
THOUGHT = {
    "type": "reasoning", "id": "rs_1", "encrypted_content": "gAAA",
    "summary": [{"type": "summary_text", "text": "First."}, {"type": "summary_text", "text": "Then."}],
}  # fmt: skip
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "c1",
    "name": "f",
    "arguments": '{"a":1}',
    "status": "completed",
}
CUSTOM = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c2", "name": "g", "input": "any text"}
SEARCH = {
    "type": "web_search_call",
    "id": "ws_1",
    "status": "completed",
    "action": {"type": "search", "query": "q"},
}
COUNTS = {
    "input_tokens": 20, "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 4},
    "output_tokens": 10, "output_tokens_details": {"reasoning_tokens": 6}, "total_tokens": 30,
}  # fmt: skip


def response(*output: Any, **fields: Any) -> dict[str, Any]:
    usual = {
        "id": "resp_1",
        "object": "response",
        "created_at": 5.0,
        "model": "gpt-5-pro-1",
        "status": "completed",
    }
    return {**usual, "error": None, "output": [*output], "usage": COUNTS, **fields}


def whole(body: dict[str, Any]) -> tuple[dict[str, Any], Usage | None]:
    reply = CHAT.parse_response(ASKED, TARGET, OK, json.dumps(body).encode())
    return json.loads(reply.body), reply.usage


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (ev["type"].encode(), json.dumps(ev).encode()) for ev in events
    )


def ended(*output: Any, **fields: Any) -> dict[str, Any]:
    body = response(*output, **fields)
    return {"type": f"response.{body['status']}", "response": body}


def read(data: bytes, call: Call = ASKED) -> list[Chunk]:
    return recorded.read(CHAT.open_stream(call, TARGET, OK), [data])


def deltas(*events: dict[str, Any]) -> list[dict[str, Any]]:
    said = [json.loads(chunk.data) for chunk in read(sse(*events)) if chunk.data]
    return [event["choices"][0]["delta"] for event in said if event["choices"]]


def about(kind: str, index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "output_index": index, "item_id": "i", **fields}


def test_a_whole_answer_with_everything() -> None:
    body, usage = whole(
        response(
            THOUGHT, MESSAGE, CALL, {**THOUGHT, "id": "rs_2", "summary": []}, CUSTOM, service_tier="flex"
        )
    )
    assert usage == Usage(20, 10, cached_tokens=8, cache_write_tokens=4, reasoning_tokens=6)
    assert body == {
        "id": "resp_1", "object": "chat.completion", "created": 5, "model": "gpt-5-pro-1", "service_tier": "flex",
        "choices": [{
            "index": 0, "finish_reason": "tool_calls",
            "message": {
                "role": "assistant", "content": "Paris, é.", "refusal": None, "reasoning_content": "First.\n\nThen.",
                "annotations": [{"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 5, "title": "X", "url": "https://x.test"}}],
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                    {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "any text"}},
                ],
                "output_items": [
                    {"after_text": False, "after_calls": 0, "item": THOUGHT},
                    {"after_text": True, "after_calls": 1, "item": {**THOUGHT, "id": "rs_2", "summary": []}},
                ],
            },
            "logprobs": {"refusal": None, "content": [{
                "token": "Paris", "logprob": -0.1, "bytes": [80, 97, 114, 105, 115],
                "top_logprobs": [{"token": "P", "logprob": -3.0, "bytes": [80]}],
            }]},
        }],
        "usage": {
            "prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30,
            "prompt_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 6},
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (response(MESSAGE), "stop"),
        (response(CALL), "tool_calls"),
        (
            response(MESSAGE, status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
            "length",
        ),
        (response(CALL, status="incomplete", incomplete_details={"reason": "max_output_tokens"}), "length"),
        (response(status="incomplete", incomplete_details={"reason": "content_filter"}), "content_filter"),
        (response(status="incomplete", incomplete_details=None), "length"),
        (response(CALL, status="requires_action"), "tool_calls"),
    ],
)
def test_how_it_ends(body: dict[str, Any], reason: str) -> None:
    assert whole(body)[0]["choices"][0]["finish_reason"] == reason
    if body["status"] != "requires_action":
        last = json.loads(read(sse(ended(*body["output"], **body)))[-2].data)
        assert last["choices"][0]["finish_reason"] == reason


def test_refusals() -> None:
    refused = {**MESSAGE, "content": [{"type": "refusal", "refusal": "I can't."}]}
    message = whole(response(refused))[0]["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == (None, "I can't.")
    streamed = deltas(
        about("output_item.added", item={**refused, "content": []}),
        about("refusal.delta", content_index=0, delta="I "),
        about("refusal.delta", content_index=0, delta="can't."),
        about("refusal.done", content_index=0, refusal="I can't."),
        about("output_item.done", item=refused),
        ended(refused),
    )
    assert [delta.get("refusal") for delta in streamed] == ["I ", "can't.", None]


def test_what_the_providers_own_tools_did_is_kept() -> None:
    message = whole(response(SEARCH, MESSAGE))[0]["choices"][0]["message"]
    assert message["output_items"] == [{"after_text": False, "after_calls": 0, "item": SEARCH}]


EVENTS: dict[str, list[dict[str, Any]]] = {
    "reasoning": [
        about("output_item.added", 0, item={"type": "reasoning", "id": "rs_1", "summary": []}),
        about("reasoning_summary_part.added", 0, summary_index=0, part={"type": "summary_text", "text": ""}),
        about("reasoning_summary_text.delta", 0, summary_index=0, delta="Fir"),
        about("reasoning_summary_text.delta", 0, summary_index=0, delta="st."),
        about("reasoning_summary_text.delta", 0, summary_index=1, delta="Then."),
        about("output_item.done", 0, item=THOUGHT),
    ],
    "message": [
        about("output_item.added", 1, item={**MESSAGE, "content": []}),
        about("output_text.delta", 1, content_index=0, delta="Paris", logprobs=MESSAGE["content"][0]["logprobs"]),
        about("output_text.delta", 1, content_index=0, delta=", é.", obfuscation="xx"),
        about("output_text.annotation.added", 1, content_index=0, annotation_index=0, annotation=MESSAGE["content"][0]["annotations"][0]),
        about("output_item.done", 1, item=MESSAGE),
    ],
    "calls": [
        about("output_item.added", 2, item={**CALL, "arguments": ""}),
        about("output_item.added", 3, item={**CUSTOM, "input": ""}),
        about("function_call_arguments.delta", 2, delta='{"a"'),
        about("custom_tool_call_input.delta", 3, delta="any "),
        about("function_call_arguments.delta", 2, delta=":1}"),
        about("function_call_arguments.done", 2, arguments='{"a":1}'),
        about("output_item.done", 2, item=CALL),
        about("custom_tool_call_input.delta", 3, delta="text"),
        about("output_item.done", 3, item=CUSTOM),
    ],
}  # fmt: skip
OUTPUT = [THOUGHT, MESSAGE, CALL, CUSTOM]
BEGIN = {"type": "response.created", "response": response(status="in_progress", usage=None)}
DONE_ONLY = [about("output_item.done", index, item=item) for index, item in enumerate(OUTPUT)]
FLAT = [event for events in EVENTS.values() for event in events]
STREAMS = {
    "all events": [BEGIN, *FLAT, ended(*OUTPUT)],
    "only deltas": [BEGIN, *(ev for ev in FLAT if "done" not in ev["type"]), ended(*OUTPUT)],
    "only whole items": [BEGIN, *DONE_ONLY, ended()],
    "only the whole answer": [ended(*OUTPUT)],
    "unknown events between": [
        BEGIN,
        {"type": "response.new.thing", "delta": {"a": 1}},
        *FLAT,
        ended(*OUTPUT),
    ],
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_says_what_the_whole_answer_says_whatever_the_server_streams(name: str) -> None:
    from openai.lib.streaming.chat import ChatCompletionStreamState
    from openai.types.chat import ChatCompletionChunk

    message = whole(response(*OUTPUT))[0]["choices"][0]["message"]
    text, reasoning, calls, kept, notes = "", "", {}, [], []
    for delta in deltas(*STREAMS[name]):
        text += delta.get("content", "")
        reasoning += delta.get("reasoning_content", "")
        kept += delta.get("output_items", ())
        notes += delta.get("annotations", ())
        for piece in delta.get("tool_calls", ()):
            call = calls.setdefault(piece["index"], {})
            for key in ("id", "type"):
                if key in piece:
                    assert key not in call
                    call[key] = piece[key]
            for key, value in (piece.get("function") or piece.get("custom")).items():
                call[key] = call.get(key, "") + value
    assert (text, reasoning) == (message["content"], message["reasoning_content"])
    assert [each["item"] for each in kept] == [each["item"] for each in message["output_items"]]
    assert [{k: v for k, v in note.items() if k != "index"} for note in notes] == message["annotations"]
    assert calls == {
        0: {"id": "c1", "type": "function", "name": "f", "arguments": '{"a":1}'},
        1: {"id": "c2", "type": "custom", "name": "g", "input": "any text"},
    }
    state = ChatCompletionStreamState()
    for chunk in read(
        sse(*(ev for ev in STREAMS[name] if "custom" not in json.dumps(ev)), ended(*OUTPUT[:3]))
    ):
        if chunk.data:
            state.handle_chunk(ChatCompletionChunk.model_validate_json(chunk.data))
    final = state.get_final_completion()
    assert final.choices[0].message.content == message["content"]
    assert final.usage is not None
    assert final.usage.prompt_tokens == 20


def test_recorded_streams_and_answers() -> None:
    say = {}
    for name in ("text", "tool_call", "incomplete", "reasoning"):
        chunks = read((GOLDEN / f"openai/responses_stream_{name}.sse").read_bytes())
        events = [json.loads(chunk.data) for chunk in chunks]
        choices = [event["choices"][0] for event in events if event["choices"]]
        say[name] = (
            "".join(choice["delta"].get("content", "") for choice in choices),
            choices[-1]["finish_reason"],
            chunks[-1].usage,
        )
    assert say == {
        "text": ("The capital of France is Paris.", "stop", Usage(24, 8)),
        "tool_call": ("", "tool_calls", Usage(24, 8)),
        "incomplete": ("The capital of", "length", Usage(24, 8)),
        "reasoning": ("The capital of France is Paris.", "stop", Usage(24, 72, reasoning_tokens=64)),
    }


def test_offsets_of_citations_count_over_all_of_the_content() -> None:
    second = json.loads(json.dumps(MESSAGE))
    notes = whole(response(MESSAGE, second))[0]["choices"][0]["message"]["annotations"]
    spans = [(note["url_citation"]["start_index"], note["url_citation"]["end_index"]) for note in notes]
    assert spans == [(0, 5), (9, 14)]
    file = {"type": "file_citation", "file_id": "f", "filename": "a.pdf", "index": 3}
    second["content"][0]["annotations"] = [file]
    assert whole(response(second))[0]["choices"][0]["message"]["annotations"] == [
        {"type": "file_citation", "file_citation": {"file_id": "f", "filename": "a.pdf", "index": 3}}
    ]


FAILURES: list[tuple[dict[str, Any], type[e.UpstreamError]]] = [
    ({"type": "error", "code": "rate_limit_exceeded", "message": "slow", "param": None}, e.RateLimited),
    ({"type": "error", "error": {"type": "insufficient_quota", "code": "insufficient_quota", "message": "m"}}, e.QuotaExhausted),
    ({"type": "error", "error": {"type": "invalid_request_error", "code": "context_length_exceeded", "message": "m"}}, e.ContextLengthExceeded),
    (ended(status="failed", error={"code": "server_error", "message": "m"}), e.ServerFault),
    (ended(status="failed", error={"code": "rate_limit_exceeded", "message": "m"}), e.RateLimited),
    (ended(status="failed", error={"code": "invalid_prompt", "message": "m"}), e.RequestRejected),
    (ended(status="failed", error={"code": "image_content_policy_violation", "message": "m"}), e.ContentPolicyViolation),
    (ended(status="failed", error=None), e.ServerFault),
    (ended(status="cancelled"), e.ServerFault),
    ({"type": "response.completed", "response": response(status="in_progress")}, e.MalformedResponse),
    ({"type": "response.completed", "response": 3}, e.MalformedResponse),
    ({"type": "response.output_text.delta", "output_index": "x"}, e.MalformedResponse),
    (about("function_call_arguments.delta", 9, delta="{"), e.MalformedResponse),
    ({"type": "response.output_item.added", "output_index": 0}, e.MalformedResponse),
]  # fmt: skip


@pytest.mark.parametrize(("event", "kind"), FAILURES)
def test_errors_within_a_stream(event: dict[str, Any], kind: type[e.UpstreamError]) -> None:
    before = about("output_text.delta", delta="a", content_index=0)
    with pytest.raises(e.UpstreamError) as caught:
        CHAT.open_stream(ASKED, TARGET, OK).feed(sse(BEGIN, before, event))
    assert type(caught.value) is kind
    assert len(caught.value.chunks) == 1


def test_the_recorded_failure_is_one_before_anything_was_said() -> None:
    with pytest.raises(e.QuotaExhausted) as caught:
        read((GOLDEN / "openai/responses_stream_failed.sse").read_bytes())
    assert list(caught.value.chunks) == []


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (response(status="failed", error={"code": "server_error", "message": "m"}), e.ServerFault),
        (response(status="in_progress"), e.MalformedResponse),
        (response(status="queued"), e.MalformedResponse),
        ({"error": {"message": "m", "code": "rate_limit_exceeded"}}, e.RateLimited),
        ({"id": "x"}, e.MalformedResponse),
        (response({"content": []}), e.MalformedResponse),
        (response({"type": "message", "content": [{"type": "output_text"}]}), e.MalformedResponse),
    ],
)
def test_whole_answers_that_are_none(body: dict[str, Any], kind: type[e.UpstreamError]) -> None:
    with pytest.raises(e.UpstreamError) as caught:
        whole(body)
    assert type(caught.value) is kind


def test_a_model_that_is_missing_is_a_400_here() -> None:
    body = {
        "error": {
            "message": "The requested model 'x' does not exist.",
            "type": "invalid_request_error",
            "param": "model",
            "code": "model_not_found",
        }
    }
    error = CHAT.parse_error(Head(400, {}), json.dumps(body).encode(), CREATED)
    assert (type(error), error.param) == (e.ModelNotFound, "model")


@given(where=st.integers(0, len(FLAT) + 1), value=st.none() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2), key=st.sampled_from(["item", "delta", "output_index", "annotation", "logprobs", "response", "summary_index", "type"]))  # fmt: skip
def test_hostile_events_end_in_upstream_errors_only(where: int, value: Any, key: str) -> None:
    events = [json.loads(json.dumps(event)) for event in STREAMS["all events"]]
    changed = events[where]
    changed[key] = value
    inner = changed.get("item") or changed.get("response")
    if isinstance(inner, dict):
        for name in list(inner):
            inner[name] = value
    changed.setdefault("type", "x")
    data = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events)
    with suppress(e.UpstreamError):
        read(data)
    with suppress(e.UpstreamError):
        whole({**response(*OUTPUT), **(inner if isinstance(inner, dict) else {})})
    item = next(iter(OUTPUT))
    for name in item:
        with suppress(e.UpstreamError):
            whole(
                response(
                    {**item, name: value},
                    {
                        **MESSAGE,
                        "content": [
                            {"type": "output_text", "text": "a", "annotations": value, "logprobs": value}
                        ],
                    },
                )
            )
