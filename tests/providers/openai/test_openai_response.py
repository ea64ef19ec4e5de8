"""Whole answers in OpenAI's dialect, as the many servers that nearly speak it give them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from openai.types import Completion, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion

from providers import errors as e
from providers.types import Operation, Quirks, Target, Usage
from tests.contract import recorded
from tests.contract.recorded import OK, Recorded

TYPES = {
    Operation.CHAT: ChatCompletion,
    Operation.COMPLETIONS: Completion,
    Operation.EMBEDDINGS: CreateEmbeddingResponse,
}
# The SDK decodes base64 vectors itself, before its type sees them.
OPENAI_CASES = [c for c in recorded.answers() if c.speaks != "anthropic" and "base64" not in c.name]


def golden(name: str) -> Recorded:
    return next(c for c in recorded.answers() if f"{c.provider}/{c.name}" == name and not c.exact)


def read(name: str) -> tuple[dict[str, Any], Usage | None]:
    case = golden(name)
    reply = case.adapter.parse_response(case.call(), case.target(), OK, case.data)
    return json.loads(reply.body), reply.usage


def reply_to(
    body: Any, operation: Operation = Operation.CHAT, quirks: Quirks | None = None
) -> tuple[dict[str, Any], Usage | None]:
    target = recorded.target("openai", exact=False)
    target = target if quirks is None else replace(target, quirks=quirks)
    case = Recorded("openai", operation, "", b"")
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = case.adapter.parse_response(case.call(), target, OK, data)
    return json.loads(reply.body), reply.usage


def choice(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "hi"}, **fields}]}


@pytest.mark.parametrize("case", OPENAI_CASES, ids=str)
def test_the_sdk_reads_every_answer_strictly(case: Recorded):
    reply = case.adapter.parse_response(case.call(), case.target(), OK, case.data)
    body = json.loads(reply.body)
    # Groq's `service_tier` is a word of its own, which travels as it is.
    body.pop("service_tier", None)
    TYPES[case.operation].model_validate(body)


def test_xai_reasoning_is_part_of_the_output():
    body, usage = read("xai/chat_response.json")
    raw = json.loads(golden("xai/chat_response.json").data)["usage"]
    reasoning = raw["completion_tokens_details"]["reasoning_tokens"]
    assert reasoning > 0
    assert usage is not None
    assert usage.output_tokens == raw["completion_tokens"] + reasoning == body["usage"]["completion_tokens"]
    assert body["usage"]["total_tokens"] == raw["total_tokens"]


def test_reasoning_is_not_counted_twice_where_the_total_says_so():
    told = {"prompt_tokens": 5, "completion_tokens": 10, "total_tokens": 15, "completion_tokens_details": {"reasoning_tokens": 4}}  # fmt: skip
    _, usage = reply_to({**choice(), "usage": told}, quirks=Quirks(reasoning_apart=True))
    assert usage == Usage(5, 10, reasoning_tokens=4)


def test_deepseek_cache_hits_are_cached_tokens():
    told = {
        "prompt_tokens": 100,
        "completion_tokens": 1,
        "prompt_cache_hit_tokens": 64,
        "prompt_cache_miss_tokens": 36,
    }
    body, usage = reply_to({**choice(), "usage": told}, quirks=Quirks(cache_hit_tokens=True))
    assert usage == Usage(100, 1, cached_tokens=64)
    assert body["usage"]["prompt_tokens_details"] == {"cached_tokens": 64}
    assert body["usage"]["prompt_cache_miss_tokens"] == 36


def test_mistral_thinking_becomes_reasoning_content():
    message = read("mistral/chat_response_thinking.json")[0]["choices"][0]["message"]
    assert message["reasoning_content"] == "Recall capitals."
    assert message["content"] == "The capital of France is Paris."


def test_mistral_tool_calls_get_their_type():
    message = read("mistral/chat_response_tool_call.json")[0]["choices"][0]["message"]
    assert message["tool_calls"] == [
        {
            "id": "gSIMJiOkT",
            "type": "function",
            "function": {"name": "get_weather", "arguments": '{"location": "Paris"}'},
        }
    ]


def test_blackbox_texts_that_say_none_are_none():
    body, usage = read("blackbox/chat_response_none_as_text.json")
    assert body["system_fingerprint"] is None
    assert "tool_calls" not in body["choices"][0]["message"]
    assert body["usage"]["prompt_tokens_details"] is None
    assert usage == Usage()


@pytest.mark.parametrize(
    ("told", "calls", "given"),
    [
        ("eos", False, "stop"),
        ("end_turn", False, "stop"),
        ("COMPLETE", False, "stop"),
        ("model_length", False, "length"),
        ("MAX_TOKENS", False, "length"),
        ("SAFETY", False, "content_filter"),
        ("tool_use", True, "tool_calls"),
        ("stop", True, "tool_calls"),
        ("tool_calls", False, "stop"),
        ("length", True, "length"),
        ("something new", False, "stop"),
        (None, False, "stop"),
        ({"odd": 1}, False, "stop"),
    ],
)
def test_finish_reasons(told: Any, calls: bool, given: str):
    called = {"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]} if calls else {}
    body, _ = reply_to(choice(finish_reason=told, message={"content": None, **called}))
    assert body["choices"][0]["finish_reason"] == given


@pytest.mark.parametrize(
    ("told", "kind"),
    [("insufficient_system_resource", e.Overloaded), ("error", e.ServerFault), ("abort", e.ServerFault)],
)
def test_finish_reasons_that_are_failures(told: str, kind: type[e.UpstreamError]):
    with pytest.raises(kind):
        reply_to(choice(finish_reason=told))


def test_tool_calls_are_put_into_form():
    raw = [
        {"index": 5, "function": {"name": "f", "arguments": {"a": 1}}},
        {"id": "x", "function": {"name": "g"}},
    ]
    body, _ = reply_to(choice(message={"tool_calls": raw}))
    message = body["choices"][0]["message"]
    assert message["content"] is None
    assert message["role"] == "assistant"
    assert message["tool_calls"] == [
        {"id": "call_abc_0_0", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
        {"id": "x", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]


def test_reasoning_has_one_name_and_the_rest_stays():
    raw = {
        "content": "hi",
        "reasoning": "why",
        "reasoning_details": [{"type": "reasoning.text"}],
        "new": {"x": [1.5, None]},
    }
    message = reply_to({**choice(message=raw), "provider": "Acme"})[0]["choices"][0]["message"]
    assert message["reasoning_content"] == "why"
    assert "reasoning" not in message
    assert message["reasoning_details"] == [{"type": "reasoning.text"}]
    assert message["new"] == {"x": [1.5, None]}


def test_togethers_lists_of_logprobs_become_openais():
    body, _ = reply_to(choice(logprobs={"tokens": ["Hé"], "token_logprobs": [-0.5], "token_ids": [1]}))
    assert body["choices"][0]["logprobs"] == {
        "content": [{"token": "Hé", "logprob": -0.5, "bytes": [72, 195, 169], "top_logprobs": []}],
        "refusal": None,
    }


def test_totals_are_the_sum_of_their_parts():
    body, usage = reply_to(
        {**choice(), "usage": {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 99}}
    )
    assert body["usage"]["total_tokens"] == 5
    assert usage == Usage(2, 3)


@pytest.mark.parametrize(
    "told", [None, {}, "12", [], {"prompt_tokens": "12"}, {"prompt_tokens": -1}, {"prompt_tokens": 1e300}]
)
def test_usage_that_says_nothing_is_none(told: Any):
    assert reply_to({**choice(), "usage": told})[1] is None


def test_parts_never_exceed_their_whole():
    told = {
        "prompt_tokens": 5,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 9, "cache_write_tokens": 9},
        "completion_tokens_details": {"reasoning_tokens": 9},
    }
    assert reply_to({**choice(), "usage": told})[1] == Usage(5, 2, cached_tokens=5, reasoning_tokens=2)


def test_drawn_tokens_and_heard_seconds_count_by_themselves():
    told = {"prompt_tokens": 5, "completion_tokens": 90, "completion_tokens_details": {"image_tokens": 80}}
    assert reply_to({**choice(), "usage": told})[1] == Usage(5, 90, image_output_tokens=80)
    told = {"prompt_tokens": 5, "completion_tokens": 2, "prompt_audio_seconds": 12}
    assert reply_to({**choice(), "usage": told})[1] == Usage(5, 2, audio_seconds=12.0)


def test_blank_bytes_before_the_body_are_no_fault():
    assert (
        reply_to(b"\n\n  \n" + json.dumps(choice()).encode())[0]["choices"][0]["message"]["content"] == "hi"
    )


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'"text"',
        b'{"choices":[]}',
        b'{"choices":3}',
        b'{"choices":[1]}',
        b"<html>",
        b'{"choices":[',
    ],
)
def test_what_is_no_answer_is_malformed(exact: bool, body: bytes):
    case = Recorded("openai", Operation.CHAT, "", b"", exact=exact)
    with pytest.raises(e.MalformedResponse):
        case.adapter.parse_response(case.call(), case.target(), OK, body)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": {"code": 502, "message": "Provider returned error"}}, e.ServerFault),
        ({"error": {"code": 429, "message": "slow down"}, "choices": [choice()]}, e.RateLimited),
        ({"error": "too many requests"}, e.ServerFault),
        ([{"error": {"code": 503, "message": "full"}}], e.Overloaded),
        ({"object": "error", "message": "long", "type": "BadRequestError", "code": 400}, e.RequestRejected),
    ],
)
def test_errors_that_come_as_answers(exact: bool, body: Any, kind: type[e.UpstreamError]):
    for operation in TYPES:
        case = Recorded("openai", operation, "", b"", exact=exact)
        with pytest.raises(kind) as caught:
            case.adapter.parse_response(case.call(), case.target(), OK, json.dumps(body).encode())
        assert type(caught.value) is kind


def test_an_error_inside_a_choice_is_an_error():
    with pytest.raises(e.ServerFault, match="broke"):
        reply_to(choice(finish_reason="error", error={"code": 502, "message": "it broke"}))


def test_embeddings_get_their_form():
    body, usage = reply_to(
        {"data": [{"embedding": [0.5]}, {"embedding": "AAAAPw==", "index": 7}]}, Operation.EMBEDDINGS
    )
    assert usage is None
    assert body == {
        "object": "list",
        "model": "some-model",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.5]},
            {"object": "embedding", "index": 7, "embedding": [0.5]},
        ],
    }


def test_target_is_a_value_of_the_contract():
    assert isinstance(recorded.target("openai"), Target)
