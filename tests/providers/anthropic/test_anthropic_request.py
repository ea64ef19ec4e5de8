"""What is sent to Anthropic for what an OpenAI client asks."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from typing_extensions import is_typeddict

from providers.anthropic import chat
from providers.errors import RequestRejected, UnsupportedParameter
from providers.types import Call, HttpRequest, Operation, Quirks, Secret, Target

GOLDEN = Path(__file__).parents[2] / "golden"
CASES = sorted(path.name for path in (GOLDEN / "anthropic" / "translated").glob("*.json"))
HELLO = [{"role": "user", "content": "Hello"}]
BETA_FIELDS = {"context_management", "mcp_servers", "something_new", "top_k", "top_p", "temperature"}
"""Travel untouched, and are not in the SDK's newest stable types."""


def target(**changes: Any) -> Target:
    fields = {"provider": "anthropic", "dialect": "anthropic", "base_url": "https://api.anthropic.com"}
    return Target(**{**fields, "model": "claude-haiku-4-5", "credential": Secret("sk-ant-secret"), **changes})


def build(body: dict[str, Any], **changes: Any) -> HttpRequest:
    return chat.build_request(Call(Operation.CHAT, "claude", body), target(**changes))


def sent(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return json.loads(build({"messages": HELLO, **body}, **changes).body)


def refusal(body: dict[str, Any], **changes: Any) -> RequestRejected:
    with pytest.raises(RequestRejected) as caught:
        sent(body, **changes)
    return caught.value


def case(name: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    read = json.loads((GOLDEN / "anthropic" / "translated" / name).read_text())
    asked = read["openai"] if "openai" in read else json.loads((GOLDEN / read["from"]).read_text())
    how = {"drop": frozenset(read.get("drop", ())), "model": read["anthropic"]["model"]}
    return asked, how, read["anthropic"]


@pytest.mark.parametrize("name", CASES)
def test_golden_requests(name: str) -> None:
    asked, how, expected = case(name)
    before = json.dumps(asked)
    assert sent(asked, **how) == expected
    assert json.dumps(asked) == before, "a call is read by several attempts"


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_requests_fit_the_types_of_anthropics_sdk(name: str) -> None:
    # Imported here: it takes more than a second, which every process that collects tests would spend.
    from anthropic.types.message_create_params import MessageCreateParams

    asked, how, _ = case(name)
    body = {key: value for key, value in sent(asked, **how).items() if key not in BETA_FIELDS}
    TypeAdapter(MessageCreateParams, config=None).validate_python(body)
    assert all(is_typeddict(kind) for kind in MessageCreateParams.__args__)
    known = {key for kind in MessageCreateParams.__args__ for key in kind.__annotations__}
    known |= {
        key
        for kind in MessageCreateParams.__args__
        for base in kind.__mro__
        for key in getattr(base, "__annotations__", {})
    }
    assert set(body) <= known


def test_the_envelope() -> None:
    request = build({"messages": HELLO}, headers={"Anthropic-Beta": "context-1m-2025-08-07"})
    assert (request.method, request.url) == ("POST", "https://api.anthropic.com/v1/messages")
    assert dict(request.headers) == {
        "content-type": "application/json",
        "accept": "application/json",
        "accept-encoding": "identity",
        "anthropic-version": "2023-06-01",
        "x-api-key": "sk-ant-secret",
        "anthropic-beta": "context-1m-2025-08-07",
    }
    stream = build({"messages": HELLO, "stream": True})
    assert dict(stream.headers)["accept"] == "text/event-stream"
    assert "x-api-key" not in dict(build({"messages": HELLO}, credential=None).headers)


def test_the_credential_is_in_no_repr() -> None:
    assert "sk-ant-secret" not in repr(build({"messages": HELLO})) + repr(target())


REFUSED = {
    "n": (2, 1),
    "seed": (7, None),
    "logprobs": (True, False),
    "top_logprobs": (3, 0),
    "logit_bias": ({"50256": -100}, {}),
    "presence_penalty": (0.5, 0),
    "frequency_penalty": (-0.5, 0.0),
    "audio": ({"voice": "alloy", "format": "wav"}, None),
    "modalities": (["text", "audio"], ["text"]),
    "prediction": ({"type": "content", "content": "x"}, None),
    "store": (True, False),
    "verbosity": ("high", "medium"),
    "web_search_options": ({}, None),
    "moderation": ({"mode": "score"}, None),
    "metadata": ({"project": "a"}, {}),
    "service_tier": ("flex", None),
    "temperature": (1.5, 1),
    "stop": (["END", "\n"], []),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_anthropic_cannot_take_is_refused_and_can_be_dropped(name: str) -> None:
    value, neutral = REFUSED[name]
    error = refusal({name: value})
    assert type(error) is UnsupportedParameter
    assert error.param == name
    assert f"drop: [{name}]" in error.message
    assert sent({name: value}, drop=frozenset({name})) == sent({})
    assert sent({name: None}) == sent({})
    expected = {"temperature": 1} if name == "temperature" else {}
    assert sent({name: neutral}) == {**sent({}), **expected}


WRONG = [
    ({"messages": None}, "messages"),
    ({"messages": "Hello"}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
    ({"messages": ["Hello"]}, "messages[0]"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
    ({"messages": [{"role": "assistant", "thinking_blocks": "x"}]}, "messages[0].thinking_blocks"),
    ({"max_tokens": "64"}, "max_tokens"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"max_tokens": 64, "max_completion_tokens": 65}, "max_tokens"),
    ({"temperature": "hot"}, "temperature"),
    ({"stop": 5}, "stop"),
    ({"stop": ["a", 5]}, "stop[1]"),
    ({"stop": "a", "stop_sequences": ["b"]}, "stop_sequences"),
    ({"reasoning_effort": "huge"}, "reasoning_effort"),
    ({"reasoning_effort": ["low"]}, "reasoning_effort"),
    ({"response_format": {"type": ["text"]}}, "response_format.type"),
    ({"reasoning_effort": "none", "thinking": {"type": "adaptive"}}, "thinking"),
    ({"reasoning_effort": "low", "thinking": {"type": "enabled", "budget_tokens": 2000}}, "thinking"),
    ({"response_format": "json"}, "response_format"),
    ({"response_format": {"type": "grammar"}}, "response_format.type"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format.json_schema.schema"),
    ({"user": 5}, "user"),
    ({"user": "a", "metadata": {"user_id": "b"}}, "metadata"),
    ({"stream": "yes"}, "stream"),
    ({"service_tier": ["auto"]}, "service_tier"),
    ({"tools": {}}, "tools"),
    ({"tools": [5]}, "tools[0]"),
    ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
    ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0]"),
    ({"tool_choice": "sometimes"}, "tool_choice"),
    ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
    ({"tool_choice": {"type": ["auto"]}}, "tool_choice.type"),
    ({"tools": [{"name": "x"}], "parallel_tool_calls": "no"}, "parallel_tool_calls"),
]


@pytest.mark.parametrize(("body", "param"), WRONG)
def test_what_is_wrong_is_named(body: dict[str, Any], param: str) -> None:
    error = refusal(body)
    assert error.param == param
    assert error.message


def part(value: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [value]}]}


PARTS = [
    ({"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}}, ""),
    ({"type": "image_url", "image_url": "https://example.com/a.png"}, ".image_url"),
    ({"type": "image_url", "image_url": {"url": "ftp://example.com/a.png"}}, ".image_url.url"),
    ({"type": "image_url", "image_url": {"url": "data:image/png,abc"}}, ".image_url.url"),
    ({"type": "file", "file": {"filename": "a.pdf"}}, ".file.file_data"),
    ({"type": "file", "file": {"file_data": "JVBERi0xLjQK"}}, ".file.file_data"),
    ({"type": "file", "file": {"file_data": "data:application/zip;base64,UEs="}}, ".file.file_data"),
    ({"type": "file", "file": {"file_data": "data:text/plain;base64,/w=="}}, ".file.file_data"),
    ({"type": "file", "file": {"file_data": "data:text/plain;base64,é"}}, ".file.file_data"),
]


@pytest.mark.parametrize(("value", "param"), PARTS)
def test_parts_that_anthropic_cannot_take(value: dict[str, Any], param: str) -> None:
    assert refusal(part(value)).param == f"messages[0].content[0]{param}"


def test_the_sample_with_audio_is_refused() -> None:
    error = refusal(json.loads((GOLDEN / "openai" / "chat_request_multimodal.json").read_text()))
    assert type(error) is UnsupportedParameter
    assert error.param == "messages[0].content[3]"


@pytest.mark.parametrize("arguments", ["{", "[1]", "5", "[" * 100_000, '"\\ud800"', None])
def test_arguments_that_are_no_json_object(arguments: str | None) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": arguments}}
    error = refusal({"messages": [*HELLO, {"role": "assistant", "tool_calls": [call]}]})
    assert error.param == "messages[1].tool_calls[0].function.arguments"


def test_text_that_is_not_unicode_is_refused() -> None:
    assert "Unicode" in refusal({"messages": [{"role": "user", "content": "\ud800"}]}).message


def test_names_of_participants_are_refused_unless_the_provider_says_otherwise() -> None:
    named = {"messages": [{"role": "user", "name": "Ann", "content": "Hello"}]}
    assert refusal(named).param == "messages[0].name"
    assert sent(named, drop=frozenset({"name"})) == sent({})
    assert sent(named, quirks=Quirks(message_names=False)) == sent({})


def test_a_renamed_field_is_the_new_one() -> None:
    assert sent({"seed": 7}, rename={"seed": "random_seed"})["random_seed"] == 7
    assert sent({"stop": "a"}, rename={"stop": "stop_sequences"})["stop_sequences"] == "a"
    assert refusal({"a": 1, "b": 2}, rename={"a": "b"}).param == "b"


def test_the_number_of_tokens_when_the_client_names_none() -> None:
    assert sent({}, max_tokens=8192)["max_tokens"] == 8192
    assert sent({"max_tokens": 10}, max_tokens=8192)["max_tokens"] == 10


OLDER = (
    *("claude-haiku-4-5", "claude-sonnet-4-5-20250929", "claude-opus-4-1-20250805", "claude-opus-4-5"),
    *(
        "claude-sonnet-4-20250514",
        "claude-sonnet-4@20250514",
        "claude-3-7-sonnet-20250219",
        "claude-sonnet-4",
    ),
)
NEWER = ("claude-opus-4-6", "claude-opus-4-7-20260416", "claude-sonnet-5", "claude-fable-5-20260901")


def test_older_models_are_given_a_budget_of_thoughts_and_newer_ones_an_effort() -> None:
    for model in OLDER:
        for effort, cap, budget, most in (
            ("low", None, 1024, 5120),
            ("medium", None, 4096, 8192),
            ("high", None, 16_384, 20_480),
            ("minimal", 2000, 1024, 2000),
            ("high", 2000, 1600, 2000),
            ("high", 64_000, 16_384, 64_000),
            ("max", 1025, 1024, 1025),
        ):
            caps = {} if cap is None else {"max_completion_tokens": cap}
            body = sent({"reasoning_effort": effort, **caps}, model=model)
            assert body["thinking"] == {"type": "enabled", "budget_tokens": budget}, (model, effort, cap)
            assert body["max_tokens"] == most
            assert "output_config" not in body
        error = refusal({"reasoning_effort": "low", "max_tokens": 1024}, model=model)
        assert type(error) is UnsupportedParameter
        assert error.param == "reasoning_effort"
        assert sent({"reasoning_effort": "none"}, model=model)["thinking"] == {"type": "disabled"}
    for model in NEWER:
        body = sent({"reasoning_effort": "high", "max_tokens": 10}, model=model)
        assert (body["thinking"], body["output_config"]) == ({"type": "adaptive"}, {"effort": "high"}), model
        error = refusal({"reasoning_effort": "low", "output_config": {"effort": "max"}}, model=model)
        assert error.param == "output_config"


CHOICES = [
    ("auto", {"type": "auto"}),
    ("none", {"type": "none"}),
    ("required", {"type": "any"}),
    ({"type": "function", "function": {"name": "x"}}, {"type": "tool", "name": "x"}),
    ({"type": "any"}, {"type": "any"}),
]


@pytest.mark.parametrize(("choice", "expected"), CHOICES)
def test_tool_choice(choice: Any, expected: dict[str, Any]) -> None:
    tools = [{"type": "function", "function": {"name": "x"}}]
    assert sent({"tools": tools, "tool_choice": choice})["tool_choice"] == expected
    alone = sent({"tools": tools, "tool_choice": choice, "parallel_tool_calls": False})["tool_choice"]
    assert alone == (expected if choice == "none" else {**expected, "disable_parallel_tool_use": True})


def test_one_call_at_a_time_without_a_choice() -> None:
    body = sent({"tools": [{"type": "function", "function": {"name": "x"}}], "parallel_tool_calls": False})
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


def test_empty_messages_are_left_out() -> None:
    messages = [*HELLO, {"role": "assistant", "content": ""}, {"role": "user", "content": "Again"}]
    assert sent({"messages": messages})["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Hello"}, {"type": "text", "text": "Again"}]}
    ]


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
KEYS = st.sampled_from(
    [
        "type",
        "text",
        "function",
        "name",
        "arguments",
        "id",
        "content",
        "role",
        "url",
        "image_url",
        "file",
        "file_data",
        "refusal",
        "input_audio",
        "custom",
        "json_schema",
        "schema",
        "user_id",
        "tool_calls",
        "tool_call_id",
        "function_call",
        "thinking_blocks",
        "cache_control",
        "parameters",
    ]
)
WORDS = st.sampled_from(
    [
        "text",
        "image_url",
        "file",
        "function",
        "tool",
        "user",
        "assistant",
        "system",
        "tool_use",
        "data:a;base64,",
        "auto",
    ]
)
JSON = st.recursive(
    LEAVES | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
FIELDS = sorted(
    {*REFUSED, "messages", "tools", "functions", "tool_choice", "function_call", "response_format"}
    | {
        "stop",
        "temperature",
        "top_p",
        "reasoning_effort",
        "user",
        "safety_identifier",
        "stream",
        "max_tokens",
        "thinking",
        "output_config",
        "system",
        "parallel_tool_calls",
    }
)


@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4))
def test_any_body_is_sent_or_refused(body: dict[str, Any]) -> None:
    with contextlib.suppress(RequestRejected):
        assert sent(body)["model"] == "claude-haiku-4-5"


@given(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "tool", "system", "function"])},
        optional={
            "content": JSON,
            "tool_calls": JSON,
            "thinking_blocks": JSON,
            "function_call": JSON,
            "tool_call_id": JSON,
            "name": JSON,
            "cache_control": JSON,
        },
    )
)
def test_any_message_is_sent_or_refused(message: dict[str, Any]) -> None:
    with contextlib.suppress(RequestRejected):
        assert sent({"messages": [message, *HELLO]})["model"] == "claude-haiku-4-5"
