"""What is sent to Gemini for what an OpenAI client asks."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import RequestRejected, UnsupportedParameter
from providers.gemini import chat
from providers.types import Call, Head, HttpRequest, Operation, Quirks, Secret, Target

GOLDEN = Path(__file__).parents[2] / "golden" / "gemini"
HELLO = [{"role": "user", "content": "Hello"}]
URL = "https://generativelanguage.googleapis.com/v1beta"


def target(**changes: Any) -> Target:
    fields = {"provider": "gemini", "dialect": "gemini", "base_url": URL, "model": "gemini-3-flash"}
    return Target(**{**fields, "credential": Secret("AIza-secret"), **changes})


def build(body: dict[str, Any], **changes: Any) -> HttpRequest:
    return chat.build_request(Call(Operation.CHAT, "m", {"messages": HELLO, **body}), target(**changes))


def sent(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return json.loads(build(body, **changes).body)


def refusal(body: dict[str, Any], **changes: Any) -> RequestRejected:
    with pytest.raises(RequestRejected) as caught:
        sent(body, **changes)
    return caught.value


def test_golden_requests() -> None:
    cases = sorted((GOLDEN / "translated").glob("*.json"))
    assert len(cases) >= 6
    for path in cases:
        case = json.loads(path.read_text())
        expected = case["gemini"] if "gemini" in case else json.loads((GOLDEN / case["is"]).read_text())
        before = json.dumps(case["openai"])
        assert sent(case["openai"], drop=frozenset(case.get("drop", ()))) == expected, path.name
        assert json.dumps(case["openai"]) == before, "a call is read by several attempts"


def test_the_envelope() -> None:
    request = build({}, headers={"X-Goog-User-Project": "p"})
    assert (request.method, request.url) == ("POST", f"{URL}/models/gemini-3-flash:generateContent")
    assert dict(request.headers) == {
        "content-type": "application/json",
        "accept": "application/json",
        "accept-encoding": "identity",
        "x-goog-api-key": "AIza-secret",
        "x-goog-user-project": "p",
    }
    stream = build({"stream": True}, model="models/gemini-3-flash")
    assert stream.url == f"{URL}/models/gemini-3-flash:streamGenerateContent?alt=sse"
    assert dict(stream.headers)["accept"] == "text/event-stream"
    assert "stream" not in json.loads(stream.body)


def test_a_models_name_stays_one_part_of_the_path() -> None:
    assert build({}, model="../cachedContents/x?y#z").url == (
        f"{URL}/models/..%2FcachedContents%2Fx%3Fy%23z:generateContent"
    )


def test_what_gemini_cannot_take_is_refused_by_name_or_dropped() -> None:
    for name, value in {
        "audio": {"voice": "alloy", "format": "wav"},
        "logit_bias": {"1": 2},
        "metadata": {"a": "b"},
        "parallel_tool_calls": False,
        "prediction": {"type": "content", "content": "x"},
        "service_tier": "scale",
        "store": True,
        "verbosity": "low",
        "modalities": ["text", "audio"],
        "reasoning_effort": "max",
    }.items():
        error = refusal({name: value})
        assert isinstance(error, UnsupportedParameter), name
        assert error.param == name
        assert "gemini/gemini-3-flash" in error.message, name
        assert f"drop: [{name}]" in error.message, name
        assert sent({name: value}, drop=frozenset({name})) == sent({}), name


def test_what_is_wrong_is_refused_by_place() -> None:
    for body, param in (
        ({"messages": "x"}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "judge", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "poem"}]}]}, "messages[0].content[0].type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "messages[0].content[0].image_url.url",
        ),
        ({"messages": [{"role": "tool", "tool_call_id": "a", "content": "x"}]}, "messages[0].tool_call_id"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "["}}]}]},
            "messages[0].tool_calls[0].function.arguments",
        ),
        ({"messages": [{"role": "user", "name": "ann", "content": "x"}]}, "messages[0].name"),
        ({"messages": [{"role": "assistant", "content": "x", "audio": {"id": "a"}}]}, "messages[0].audio"),
        (
            {"messages": [{"role": "assistant", "content": "x", "extra_content": {"google": {"thought_signature": 1}}}]},
            "messages[0].extra_content.google.thought_signature",
        ),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": 1, "max_completion_tokens": 2}, "max_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"stop": [1]}, "stop[0]"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0]"),
        ({"temperature": 1, "generationConfig": {"temperature": 2}}, "generationConfig"),
        ({"web_search_options": {"search_context_size": "high"}}, "web_search_options.search_context_size"),
    ):  # fmt: skip
        assert refusal(body).param == param, body


def test_names_of_participants_may_be_left_out() -> None:
    named = {"messages": [{"role": "user", "name": "ann", "content": "Hello"}]}
    assert sent(named, quirks=Quirks(message_names=False)) == sent({})


def test_fields_are_renamed() -> None:
    assert sent({"budget": 5}, rename={"budget": "maxi"})["maxi"] == 5


@pytest.mark.parametrize(
    ("model", "effort", "config"),
    [
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
        ("gemini-2.5-flash", "medium", {"thinkingBudget": 8192, "includeThoughts": True}),
        ("gemini-3-pro", "low", {"thinkingLevel": "LOW", "includeThoughts": True}),
        ("gemini-flash-latest", "none", {"thinkingLevel": "MINIMAL"}),
    ],
)
def test_effort_in_the_models_own_unit(model: str, effort: str, config: dict[str, Any]) -> None:
    asked = sent({"reasoning_effort": effort}, model=model)
    assert asked["generationConfig"] == {"thinkingConfig": config}


def test_tool_choices() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [tools[0]]}}
    for choice, expected in (
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (allowed, {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}),
    ):
        config = sent({"tools": tools, "tool_choice": choice})["toolConfig"]
        assert config == {"functionCallingConfig": expected}


def test_calls_without_a_signature_get_the_one_for_none_where_the_model_wants_one() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    talk = [*HELLO, {"role": "assistant", "tool_calls": [call]}]
    for model, signed in (("gemini-3-pro", True), ("gemini-flash-latest", True), ("gemini-2.5-pro", False)):
        part = sent({"messages": talk}, model=model)["contents"][1]["parts"][0]
        assert ("thoughtSignature" in part) is signed, model


def test_a_picture_goes_back_as_it_came() -> None:
    drawn = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}, "thoughtSignature": "c2ln"}
    answer = {"candidates": [{"content": {"parts": [{"text": "Here."}, drawn]}, "finishReason": "STOP"}]}
    call = Call(Operation.CHAT, "m", {})
    reply = chat.parse_response(call, target(), Head(200, {}), json.dumps(answer).encode())
    message = json.loads(reply.body)["choices"][0]["message"]
    assert "extra_content" not in message
    turn = sent({"messages": [*HELLO, message, *HELLO]})["contents"][1]
    assert turn == {"role": "model", "parts": [{"text": "Here."}, drawn]}


NAMES = st.from_regex(r"[a-z_][a-z0-9_-]{0,8}", fullmatch=True)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)  # fmt: skip
PARTS = st.tuples(
    NAMES, st.dictionaries(st.text(max_size=3), VALUES, max_size=3), st.none() | NAMES, st.text(max_size=5)
)
TURNS = st.lists(st.lists(PARTS, min_size=1, max_size=3), min_size=1, max_size=3)


@given(TURNS)
def test_a_conversation_with_tools_keeps_ids_order_names_arguments_and_signatures(turns: Any) -> None:
    """What Gemini said, shown to a client and sent back by it, is what Gemini said."""
    messages: list[dict[str, Any]] = [*HELLO]
    said = []
    for number, turn in enumerate(turns):
        parts = []
        for place, (name, args, signature, _) in enumerate(turn):
            call = {"functionCall": {"id": f"{number}-{place}", "name": name, "args": args}}
            parts.append({**call, "thoughtSignature": signature} if signature else call)
        parts[0].setdefault("thoughtSignature", "first")
        said.append({"role": "model", "parts": parts})
        answer = {"candidates": [{"content": said[-1], "finishReason": "STOP"}]}
        call = Call(Operation.CHAT, "m", {})
        reply = chat.parse_response(call, target(), Head(200, {}), json.dumps(answer).encode())
        message = json.loads(reply.body)["choices"][0]["message"]
        results = [
            {"role": "tool", "tool_call_id": made["id"], "content": each[3]}
            for made, each in zip(message["tool_calls"], turn, strict=True)
        ]
        messages += [message, *results]
    contents = sent({"messages": messages})["contents"]
    assert contents[1::2] == said
    answered = [part["functionResponse"] for content in contents[2::2] for part in content["parts"]]
    assert [(each["id"], each["name"]) for each in answered] == [
        (f"{number}-{place}", part[0]) for number, turn in enumerate(turns) for place, part in enumerate(turn)
    ]


FIELDS = [
    "max_tokens", "temperature", "stop", "tools", "tool_choice", "functions", "function_call", "response_format",
    "modalities", "reasoning_effort", "service_tier", "web_search_options", "logprobs", "top_logprobs",
    "generationConfig", "toolConfig", "n", "messages",
]  # fmt: skip
MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", "system", "function"])},
    optional=dict.fromkeys(
        ("content", "tool_calls", "extra_content", "function_call", "tool_call_id", "name"), VALUES
    ),
)


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4), st.lists(MESSAGES, max_size=2))
def test_any_body_is_sent_or_refused(body: dict[str, Any], messages: list[dict[str, Any]]) -> None:
    with contextlib.suppress(RequestRejected):
        assert "contents" in sent({"messages": [*messages, *HELLO], **body})
