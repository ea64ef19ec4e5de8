"""Perplexity's Agent API, asked and read as a chat, with the names and fields that Sonar had."""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import replace
from typing import Any

import pytest

from providers import errors as e
from providers.perplexity import embeddings
from providers.perplexity.chat import CHAT, OPTIONS
from providers.types import Call, Head, Operation, Quirks, Usage
from tests.contract import recorded
from tests.contract.recorded import CREATED, GOLDEN, OK

TARGET = replace(recorded.target("perplexity"), model="sonar")
HELLO = [{"role": "user", "content": "Hello"}]
PAGE = "https://en.wikipedia.org/wiki/Paris"


def golden(name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / "perplexity" / name).read_text())


def sent(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    call = Call(Operation.CHAT, "sonar", {"messages": HELLO, **body})
    return json.loads(CHAT.build_request(call, replace(TARGET, **changes)).body)


def whole(name: str, **fields: Any) -> tuple[dict[str, Any], Usage | None]:
    call = Call(Operation.CHAT, "sonar", {"messages": HELLO, **fields}, "abc", CREATED)
    reply = CHAT.parse_response(call, TARGET, OK, json.dumps(golden(name)).encode())
    return json.loads(reply.body), reply.usage


def test_golden_requests() -> None:
    asked = {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Capital of France?"}],
        "max_tokens": 64, "stream": False, "user": "u", "search_domain_filter": ["wikipedia.org"],
        "search_recency_filter": "month",
        "web_search_options": {"search_context_size": "low", "user_location": {"type": "approximate", "approximate": {"country": "FR"}}},
    }  # fmt: skip
    expected = golden("agent_request.json")
    del expected["stream"]
    expected["input"] = [{"type": "message", "role": "user", "content": expected["input"]}]
    assert sent(asked) == expected

    expected = golden("agent_request_function.json")
    tool = expected["tools"][0]
    asked = {
        "messages": [
            {"role": "user", "content": "Weather in Paris?"},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function", "thought_signature": "c2ln", "function": {"name": "get_weather", "arguments": '{"location":"Paris"}'}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": '{"temp_c":18}'}]},
        ],
        "tools": [{"type": "function", "function": {name: value for name, value in tool.items() if name != "type"}}],
        "response_format": expected["response_format"], "disable_search": True,
    }  # fmt: skip
    with pytest.raises(e.UnsupportedParameter, match="preset searches"):
        sent(asked, model="sonar-pro")
    del asked["disable_search"]
    got = sent(asked, model="sonar-pro")
    assert got.pop("tools") == [tool, {"type": "web_search"}]
    del expected["tools"]
    assert got == expected


def test_the_envelope() -> None:
    call = Call(Operation.CHAT, "sonar", {"messages": HELLO})
    request = CHAT.build_request(call, TARGET)
    assert request.url == "https://api.perplexity.ai/v1/responses"
    assert dict(request.headers)["authorization"] == f"Bearer {recorded.SECRET}"


def test_sonars_names_and_presets() -> None:
    asked = {
        "sonar": ("model", "perplexity/sonar"),
        "sonar-pro": ("preset", "fast"),
        "sonar-reasoning-pro": ("preset", "low"),
        "sonar-deep-research": ("preset", "wide-research"),
        "openai/gpt-5": ("model", "openai/gpt-5"),
        "pro-search": ("preset", "pro-search"),
    }
    usual = {name: option.default for name, option in OPTIONS.items()}
    for model, (field, value) in asked.items():
        for options in ({}, usual):
            got = sent({}, model=model, options=options)
            assert got[field] == value, model
            assert got.get("tools") == ([{"type": "web_search"}] if field == "model" else None), model
    assert (
        sent({}, model="sonar-pro", options={"sonar-pro": "perplexity/sonar"})["model"] == "perplexity/sonar"
    )


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"disable_search": True}, {"tools": None}),
        ({"tools": [{"type": "web_search", "search_type": "fast"}]}, {"tools": [{"type": "web_search", "search_type": "fast"}]}),
        ({"web_search_options": {"search_type": "auto"}}, {"tools": [{"type": "web_search"}]}),
        ({"search_after_date_filter": "3/1/2026"}, {"tools": [{"type": "web_search", "filters": {"search_after_date_filter": "3/1/2026"}}]}),
        ({"reasoning_effort": "max"}, {"reasoning": {"effort": "xhigh"}}),
        ({"response_format": {"type": "json_object"}}, {"response_format": {"type": "json_schema", "json_schema": {"name": "object", "schema": {"type": "object"}}}}),
        ({"response_format": {"type": "text"}}, {}),
        ({"max_completion_tokens": 9, "temperature": 0.2, "language_preference": "fr"}, {"max_output_tokens": 9, "temperature": 0.2, "language_preference": "fr"}),
        ({"tool_choice": "none", "search_mode": "web", "return_images": False, "n": 1, "stop": None, "parallel_tool_calls": True}, {"tool_choice": "none"}),
        ({"metadata": {"a": "b"}, "safety_identifier": "x"}, {}),
    ],
)  # fmt: skip
def test_settings(asked: dict[str, Any], expected: dict[str, Any]) -> None:
    said = [{"type": "message", "role": "user", "content": "Hello"}]
    wanted = {"model": "perplexity/sonar", "input": said, "tools": [{"type": "web_search"}], **expected}
    assert sent(asked) == {name: value for name, value in wanted.items() if value is not None}


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"stop": ["x"]}, "stop"),
        ({"return_images": True}, "return_images"),
        ({"search_mode": "academic"}, "search_mode"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"response_format": {"type": "regex"}}, "response_format.type"),
        ({"web_search_options": {"search_type": "pro"}}, "web_search_options.search_type"),
        ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "tools[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]}, "messages[0].content[0]"),
    ],
)  # fmt: skip
def test_what_it_has_no_place_for_is_refused(asked: dict[str, Any], param: str) -> None:
    with pytest.raises(e.UnsupportedParameter) as caught:
        sent(asked)
    assert caught.value.param == param


def test_messages_it_takes() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}
    messages = [
        {"role": "system", "content": [{"type": "text", "text": "A"}]},
        {"role": "developer", "content": "B"},
        {"role": "user", "name": "ann", "content": [{"type": "text", "text": "See"}, image]},
        {"role": "assistant", "content": [{"type": "text", "text": "I "}, {"type": "text", "text": "see."}]},
        {"role": "system", "content": "C"},
    ]
    got = sent({"messages": messages}, quirks=Quirks(message_names=False))
    assert got["instructions"] == "A\n\nB"
    assert got["input"] == [
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "See"},
                {"type": "input_image", "image_url": "https://x.test/a.png"},
            ],
        },
        {"type": "message", "role": "assistant", "content": "I see."},
        {"type": "message", "role": "system", "content": "C"},
    ]


def test_answers_keep_citations_results_and_costs() -> None:
    body, usage = whole("chat_response.json")
    assert usage == Usage(820, 12, searches=1)
    assert body["citations"] == [PAGE]
    assert body["search_results"] == golden("chat_response.json")["output"][0]["results"]
    choice = body["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (
        "The capital of France is Paris.[1]",
        "stop",
    )
    assert choice["message"]["annotations"][0]["url_citation"]["url"] == PAGE
    assert body["usage"]["cost"]["total_cost"] == 0.00521
    assert body["usage"]["tool_calls_details"] == {"web_search": {"invocation": 1}}


def test_tool_calls_keep_their_signature() -> None:
    choice = whole("chat_response_tool_call.json")[0]["choices"][0]
    (call,) = choice["message"]["tool_calls"]
    assert (choice["finish_reason"], call["id"], call["thought_signature"]) == (
        "tool_calls",
        "call_1",
        "c2ln",
    )


def test_an_answer_as_long_as_was_allowed_was_cut() -> None:
    assert whole("chat_response.json", max_tokens=12)[0]["choices"][0]["finish_reason"] == "length"
    assert whole("chat_response.json", max_tokens=13)[0]["choices"][0]["finish_reason"] == "stop"


def read(data: bytes, **fields: Any) -> list[dict[str, Any]]:
    call = Call(Operation.CHAT, "sonar", {"messages": HELLO, "stream": True, **fields}, "abc", CREATED)
    chunks = recorded.read(CHAT.open_stream(call, TARGET, OK), [data])
    return [json.loads(chunk.data) for chunk in chunks if chunk.data]


def test_streams_tell_their_sources_first_and_last() -> None:
    data = (GOLDEN / "perplexity/stream_text.sse").read_bytes()
    first, *between, last = read(data)
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "The"}
    for event in (first, last):
        assert event["citations"] == [PAGE]
        assert len(event["search_results"]) == 1
    assert not any("citations" in event for event in between)
    *_, usage = read(data, stream_options={"include_usage": True})
    assert usage["usage"]["cost"]["total_cost"] == 0.00521


def test_a_call_that_comes_whole_twice_is_said_once() -> None:
    said = read((GOLDEN / "perplexity/stream_tool_call.sse").read_bytes())
    calls = [call for event in said for call in event["choices"][0]["delta"].get("tool_calls", ())]
    assert calls[0]["thought_signature"] == "c2ln"
    assert "".join(call["function"]["arguments"] for call in calls) == '{"location":"Paris"}'
    assert said[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_failures_of_a_stream() -> None:
    failures = {
        "request_rate_limit_exceeded": e.RateLimited,
        "invalid_request": e.RequestRejected,
        "internal_error": e.ServerFault,
    }
    for code, kind in failures.items():
        event = {"type": "response.failed", "error": {"message": "m", "code": code, "type": code}}
        with pytest.raises(e.UpstreamError) as caught:
            read(b"event: response.failed\ndata: %b\n\n" % json.dumps(event).encode())
        assert type(caught.value) is kind


def test_embeddings_are_numbers_in_either_form() -> None:
    data = (GOLDEN / "perplexity/embeddings_response.json").read_bytes()
    target = replace(TARGET, model="pplx-embed-v1-0.6b")

    def read(**fields: Any) -> Any:
        call = Call(Operation.EMBEDDINGS, "e", {"input": ["Hello"], "user": "u", **fields}, "abc", CREATED)
        sent = json.loads(embeddings.build_request(call, target).body)
        assert sent == {"model": "pplx-embed-v1-0.6b", "input": ["Hello"]}
        reply = embeddings.parse_response(call, target, OK, data)
        assert reply.usage == Usage(2)
        return json.loads(reply.body)["data"][0]["embedding"]

    numbers = [1 / 127, 2 / 127, -1 / 127, 126 / 127]
    assert read() == read(encoding_format="float") == pytest.approx(numbers)
    packed = struct.unpack("<4f", base64.b64decode(read(encoding_format="base64")))
    assert list(packed) == pytest.approx(numbers)
    for fields, param in (({"input": [[1, 2]]}, "input"), ({"encoding_format": "int8"}, "encoding_format")):
        with pytest.raises(e.UnsupportedParameter) as caught:
            read(**fields)
        assert caught.value.param == param


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, (GOLDEN / "perplexity/error_400_too_long.json").read_bytes(), e.ContextLengthExceeded),
        (401, (GOLDEN / "perplexity/error_401.json").read_bytes(), e.CredentialRejected),
        (401, b"<html><head><title>401 Authorization Required</title></head></html>", e.CredentialRejected),
        (402, b"{}", e.QuotaExhausted),
        (404, b'{"error":{"message":"unknown preset","type":"not_found","code":404}}', e.ModelNotFound),
        (422, b'{"detail":[{"loc":["body","input"],"msg":"Field required","type":"missing"}]}', e.RequestRejected),
        (429, b'{"error":{"message":"Request rate limit exceeded","type":"request_rate_limit_exceeded","code":429}}', e.RateLimited),
        (503, b"", e.Overloaded),
        (522, b"<html></html>", e.ServerFault),
    ],
)  # fmt: skip
def test_errors(status: int, body: bytes, kind: type[e.UpstreamError]) -> None:
    error = CHAT.parse_error(Head(status, {}), body, CREATED)
    assert type(error) is kind
    assert error.message
    assert "<" not in error.message
