"""What is sent to a Responses API for what a chat client asks."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import RequestRejected, UnsupportedParameter
from providers.responses.chat import CHAT
from providers.types import Call, HttpRequest, Operation, Quirks, Secret, Target
from tests.contract.recorded import GOLDEN

HELLO = [{"role": "user", "content": "Hello"}]
TARGET = Target("openai", "responses", "https://api.openai.test/v1", "gpt-5-pro", credential=Secret("sk-1"))
ENCRYPTED = ["reasoning.encrypted_content"]
WEATHER = {"type": "object", "properties": {"location": {"type": "string"}}}


def build(body: dict[str, Any], **changes: Any) -> HttpRequest:
    return CHAT.build_request(Call(Operation.CHAT, "gpt-5-pro", body), replace(TARGET, **changes))


def sent(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return json.loads(build({"messages": HELLO, **body}, **changes).body)


def items(*messages: dict[str, Any], **changes: Any) -> list[dict[str, Any]]:
    return sent({"messages": [*messages], **changes})["input"]


def golden(name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / "openai" / name).read_text())


def test_the_envelope() -> None:
    request = build({"messages": HELLO, "stream": True, "stream_options": {"include_usage": True}})
    assert (request.method, request.url) == ("POST", "https://api.openai.test/v1/responses")
    assert dict(request.headers) == {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "authorization": "Bearer sk-1",
    }
    assert json.loads(request.body) == {
        "model": "gpt-5-pro",
        "input": [{"role": "user", "content": "Hello"}],
        "store": False,
        "include": ENCRYPTED,
        "stream": True,
    }


def test_golden_requests() -> None:
    """The recorded requests of both APIs, which ask the same."""
    asked = golden("chat_request_tool_result.json")
    asked["tools"][0]["function"]["strict"] = True
    schema = golden("responses_request_tools.json")["text"]["format"]
    asked |= {"tool_choice": "auto", "response_format": {"type": "json_schema", "json_schema": {**schema}}}
    del asked["response_format"]["json_schema"]["type"]
    expected = golden("responses_request_tools.json")
    got = sent(asked)
    assert (got.pop("store"), got.pop("include")) == (False, ENCRYPTED)
    assert got == {**expected, "model": "gpt-5-pro"}

    asked = golden("chat_request.json") | {"stream": True}
    expected = golden("responses_request.json")
    got = sent(asked, drop=frozenset({"seed", "user", "temperature"}))
    assert got["input"] == [
        {"role": "developer", "content": expected["instructions"]},
        {"role": "user", "content": expected["input"][0]["content"][0]["text"]},
    ]
    for name in ("max_output_tokens", "store", "stream"):
        assert got[name] == expected[name], name


def test_parts_of_content() -> None:
    asked = golden("chat_request_multimodal.json")["messages"][0]
    image, file = asked["content"][1]["image_url"], asked["content"][2]["file"]
    (got,) = items({**asked, "content": asked["content"][:3]})
    assert got["content"] == [
        {"type": "input_text", "text": "What is in this image?"},
        {"type": "input_image", "image_url": image["url"], "detail": "low"},
        {"type": "input_file", **file},
    ]
    marked = {"type": "text", "text": "long", "prompt_cache_breakpoint": {"mode": "explicit"}}
    assert items({"role": "system", "content": [marked]})[0]["content"] == [{**marked, "type": "input_text"}]
    own = {"type": "input_file", "file_url": "https://x.test/a.pdf"}
    assert items({"role": "user", "content": [own]})[0]["content"] == [own]
    with pytest.raises(UnsupportedParameter) as caught:
        items(asked)
    assert caught.value.param == "messages[0].content[3]"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"max_tokens": 64}, {"max_output_tokens": 64}),
        ({"max_completion_tokens": 64, "max_tokens": None}, {"max_output_tokens": 64}),
        ({"reasoning_effort": "high"}, {"reasoning": {"effort": "high"}}),
        (
            {"reasoning_effort": "high", "reasoning": {"summary": "auto"}},
            {"reasoning": {"effort": "high", "summary": "auto"}},
        ),
        ({"response_format": {"type": "json_object"}}, {"text": {"format": {"type": "json_object"}}}),
        (
            {"response_format": {"type": "text"}, "verbosity": "low"},
            {"text": {"format": {"type": "text"}, "verbosity": "low"}},
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": True}}},
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": {}, "strict": True}}},
        ),
        (
            {"logprobs": True, "top_logprobs": 3},
            {"include": [*ENCRYPTED, "message.output_text.logprobs"], "top_logprobs": 3},
        ),
        ({"logprobs": False}, {}),
        ({"include": ["file_search_call.results"]}, {"include": ["file_search_call.results", *ENCRYPTED]}),
        ({"store": True}, {"store": True, "include": None}),
        ({"stream": True, "stream_options": {"include_obfuscation": False}}, {"stream": True, "stream_options": {"include_obfuscation": False}}),
        ({"n": 1, "stop": [], "seed": None, "logit_bias": {}, "presence_penalty": 0, "modalities": ["text"]}, {}),
        (
            {"tools": [{"type": "function", "function": {"name": "f"}}]},
            {"tools": [{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}]},
        ),
        (
            {"tools": [{"type": "custom", "custom": {"name": "c", "format": {"type": "grammar", "grammar": {"syntax": "regex", "definition": "a+"}}}}]},
            {"tools": [{"type": "custom", "name": "c", "format": {"type": "grammar", "syntax": "regex", "definition": "a+"}}]},
        ),
        ({"tools": [{"type": "file_search", "vector_store_ids": ["v"]}]}, {"tools": [{"type": "file_search", "vector_store_ids": ["v"]}]}),
        (
            {"web_search_options": {"search_context_size": "low", "user_location": {"type": "approximate", "approximate": {"country": "FR"}}}},
            {"tools": [{"type": "web_search", "search_context_size": "low", "user_location": {"type": "approximate", "country": "FR"}}]},
        ),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, {"tool_choice": {"type": "function", "name": "f"}}),
        ({"tool_choice": {"type": "custom", "custom": {"name": "c"}}}, {"tool_choice": {"type": "custom", "name": "c"}}),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]}}},
            {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}},
        ),
        ({"tool_choice": {"type": "web_search"}}, {"tool_choice": {"type": "web_search"}}),
        ({"temperature": 0.5, "metadata": {"a": "b"}, "user": "u", "previous_response_id": "resp_1", "x_new": 1}, None),
    ],
)  # fmt: skip
def test_settings(asked: dict[str, Any], expected: dict[str, Any] | None) -> None:
    got = sent(asked)
    usual = {"model": "gpt-5-pro", "input": HELLO, "store": False, "include": ENCRYPTED}
    wanted = {**usual, **(asked if expected is None else expected)}
    assert got == {name: value for name, value in wanted.items() if value is not None}


@pytest.mark.slow
def test_requests_fit_the_types_of_openais_sdk() -> None:
    # Imported here: it takes more than a second, which every process that collects tests would spend.
    from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
    from pydantic import TypeAdapter

    fits = TypeAdapter(ResponseCreateParamsNonStreaming).validate_python
    names = ("chat_request_tools", "chat_request_tool_result", "chat_request_json_schema", "chat_request")
    for name in names:
        body = sent({**golden(f"{name}.json"), "stream": None}, drop=frozenset({"seed"}))
        fits(body)
        assert (
            set(body)
            <= ResponseCreateParamsNonStreaming.__required_keys__
            | ResponseCreateParamsNonStreaming.__optional_keys__
        )


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"n": 2}, "n"),
        ({"seed": 1}, "seed"),
        ({"stop": "x"}, "stop"),
        ({"frequency_penalty": 0.1}, "frequency_penalty"),
        ({"logit_bias": {"1": 1}}, "logit_bias"),
        ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"background": True}, "background"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"messages": [{"role": "user", "name": "ann", "content": "Hello"}]}, "messages[0].name"),
        ({"messages": [{"role": "function", "name": "f", "content": "1"}]}, "messages[0]"),
    ],
)
def test_what_the_api_has_no_place_for_is_refused_unless_dropped(asked: dict[str, Any], param: str) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        sent(asked)
    assert caught.value.param == param
    assert "openai/gpt-5-pro" in caught.value.message
    if param in asked:
        assert param not in sent(asked, drop=frozenset({param}))


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"messages": "x"}, "messages"),
        ({"messages": [{"role": "robot"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"max_tokens": 1, "max_completion_tokens": 2}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"tools": [{"function": {}}]}, "tools[0].function.name"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"reasoning_effort": "low", "reasoning": {"effort": "high"}}, "reasoning"),
        ({"include": "all"}, "include"),
        ({"store": "no"}, "store"),
        ({"messages": [{"role": "assistant", "output_items": [{"item": 1}]}]}, "messages[0].output_items[0].item"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_by_place(asked: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestRejected) as caught:
        sent(asked)
    assert type(caught.value) is RequestRejected
    assert caught.value.param == param


def test_configuration_renames_drops_and_knows_other_servers() -> None:
    assert sent({"user": "u"}, rename={"user": "safety_identifier"})["safety_identifier"] == "u"
    assert "include" not in sent({}, drop=frozenset({"include"}))
    said = [{"role": "developer", "name": "d", "content": "Be brief."}]
    got = sent({"messages": said}, quirks=Quirks(developer_role=False, message_names=False))
    assert got["input"] == [{"role": "system", "content": "Be brief."}]


def test_what_the_model_has_said_goes_back_in_its_order() -> None:
    thought = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAA", "status": None}
    second = {**thought, "id": "rs_2"}
    search = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search"}}
    calls = [
        {
            "id": "c1",
            "type": "function",
            "function": {"name": "f", "arguments": "{}"},
            "thought_signature": "s",
        },
        {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "x"}},
    ]
    kept = [
        {"index": 0, "after_text": False, "after_calls": 0, "item": thought},
        {"index": 1, "after_text": True, "after_calls": 0, "item": search},
        {"index": 2, "after_text": True, "after_calls": 1, "item": second},
    ]
    got = items(
        {"role": "assistant", "content": "Let me see.", "reasoning_content": "Hm.", "annotations": [], "tool_calls": calls, "output_items": kept},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "1"}]},
        {"role": "tool", "tool_call_id": "c2", "name": "g", "content": "2"},
    )  # fmt: skip
    assert got == [
        {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAA"},
        {"role": "assistant", "content": "Let me see."},
        {"id": "ws_1", "type": "web_search_call", "action": {"type": "search"}},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}", "thought_signature": "s"},
        {"id": "rs_2", "type": "reasoning", "summary": [], "encrypted_content": "gAAA"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "x"},
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "1"}]},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "2"},
    ]


def test_reasoning_that_the_provider_does_not_keep_is_not_named_by_its_id() -> None:
    kept = [
        {"after_text": False, "after_calls": 0, "item": {"id": "rs_1", "type": "reasoning", "summary": []}}
    ]
    said = {"role": "assistant", "content": "Paris.", "output_items": kept}
    assert items(said) == [{"role": "assistant", "content": "Paris."}]
    assert items(said, store=True)[0] == kept[0]["item"]


def test_refusals_go_back() -> None:
    said = [
        {"role": "assistant", "content": None, "refusal": "No."},
        {"role": "assistant", "content": "A", "refusal": "B"},
    ]
    assert [item["content"] for item in items(*said)] == [
        [{"type": "refusal", "refusal": "No."}],
        [{"type": "output_text", "text": "A"}, {"type": "refusal", "refusal": "B"}],
    ]


CALLS = st.lists(
    st.tuples(st.text(min_size=1, max_size=12), st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.text(max_size=12)),
    max_size=4, unique_by=lambda each: each[0],
)  # fmt: skip


@given(turns=st.lists(st.tuples(st.text(max_size=6), CALLS), max_size=4))
def test_a_tool_conversation_of_any_shape_keeps_ids_order_names_and_arguments(turns: Any) -> None:
    messages: list[dict[str, Any]] = list(HELLO)
    for said, calls in turns:
        made = [{"id": i, "type": "function", "function": {"name": n, "arguments": a}} for i, n, a in calls]
        messages.append({"role": "assistant", "content": said, **({"tool_calls": made} if made else {})})
        messages += [{"role": "tool", "tool_call_id": i, "content": f"result {a}"} for i, _, a in calls]
    got = iter(items(*messages)[1:])
    for said, calls in turns:
        if said:
            assert next(got) == {"role": "assistant", "content": said}
        for call_id, name, arguments in calls:
            expected = {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}
            assert next(got) == expected
        for call_id, _, arguments in calls:
            expected = {"type": "function_call_output", "call_id": call_id, "output": f"result {arguments}"}
            assert next(got) == expected
    assert next(got, None) is None
