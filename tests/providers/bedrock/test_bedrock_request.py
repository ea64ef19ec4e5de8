"""OpenAI's requests as Converse gets them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.bedrock import chat
from providers.errors import RequestRejected, UnsupportedParameter
from providers.types import Call, Operation, Quirks, Secret, Target

GOLDEN = Path(__file__).parents[2] / "golden" / "bedrock"
CLAUDE, NOVA, LLAMA = (
    "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    "amazon.nova-2-lite-v1:0",
    "meta.llama3-8b-v1:0",
)
PNG = "data:image/png;base64,iVBORw0KGgo="
MADE: list[dict[str, Any]] = []
"""Every request that these tests have made."""
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather",
        "parameters": {"type": "object", "properties": {}},
    },
}
CALL = {
    "id": "t1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"location":"Paris"}'},
}
TALK: list[Any] = [
    {"role": "user", "content": "Weather in Paris?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "t1", "content": "18 C"},
]


def target(model: str = CLAUDE, **fields: Any) -> Target:
    quirks = Quirks(message_names=False)
    return Target(
        "bedrock",
        "bedrock",
        "https://b.test",
        model,
        **{"credential": Secret("ABSK"), "quirks": quirks, **fields},
    )


def request(body: dict[str, Any], model: str = CLAUDE, **fields: Any) -> dict[str, Any]:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **body}
    sent: dict[str, Any] = json.loads(
        chat.build_request(Call(Operation.CHAT, "m", body), target(model, **fields)).body
    )
    MADE.append(sent)
    return sent


def refused(body: dict[str, Any], model: str = CLAUDE, **fields: Any) -> RequestRejected:
    with pytest.raises(RequestRejected) as caught:
        request(body, model, **fields)
    return caught.value


def test_the_model_is_one_segment_of_the_path_and_the_key_a_bearer() -> None:
    for model, segment in [
        ("anthropic.claude-3-haiku-20240307-v1:0", "anthropic.claude-3-haiku-20240307-v1%3A0"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/x", "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fx"),
    ]:  # fmt: skip
        for stream, action in [(False, "converse"), (True, "converse-stream")]:
            call = Call(
                Operation.CHAT, "m", {"messages": [{"role": "user", "content": "Hi"}], "stream": stream}
            )
            made = chat.build_request(call, target(model))
            assert made.url == f"https://b.test/model/{segment}/{action}"
            assert ("authorization", "Bearer ABSK") in made.headers
            assert json.loads(made.body) == {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}


def test_the_recorded_request() -> None:
    brief = {
        "type": "text",
        "text": "Answer in one short sentence.",
        "prompt_cache_breakpoint": {"mode": "explicit"},
    }
    body = {
        "messages": [
            {"role": "developer", "content": [brief]},
            {"role": "user", "content": "What is the capital of France?"},
        ],
        "max_completion_tokens": 64, "temperature": 0.2, "top_p": 0.9, "stop": "END", "top_k": 40, "user": "user-123",
        "performanceConfig": {"latency": "standard"},
    }  # fmt: skip
    assert request(body) == json.loads((GOLDEN / "converse_request.json").read_bytes())


def test_the_recorded_request_with_tools() -> None:
    recorded = json.loads((GOLDEN / "converse_request_tools.json").read_bytes())
    spec = recorded["toolConfig"]["tools"][0]["toolSpec"]
    wanted = recorded["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    function = {
        "name": spec["name"],
        "description": spec["description"],
        "parameters": spec["inputSchema"]["json"],
    }
    use = recorded["messages"][1]["content"][0]["toolUse"]
    called = {"name": use["name"], "arguments": json.dumps(use["input"])}
    messages = [
        TALK[0],
        {
            "role": "assistant",
            "tool_calls": [{"id": use["toolUseId"], "type": "function", "function": called}],
        },
        {"role": "tool", "tool_call_id": use["toolUseId"], "content": '{"temp_c":18}'},
    ]
    schema = {"name": wanted["name"], "schema": json.loads(wanted["schema"]), "strict": True}
    sent = request(
        {
            "messages": messages,
            "tools": [{"type": "function", "function": function}],
            "tool_choice": "auto",
            "response_format": {"type": "json_schema", "json_schema": schema},
        }
    )
    # A result is a text to OpenAI, and stays one.
    recorded["messages"][2]["content"][0]["toolResult"]["content"] = [{"text": '{"temp_c":18}'}]
    del recorded["messages"][2]["content"][0]["toolResult"]["status"]
    assert sent == recorded


def test_parts() -> None:
    document = base64.b64encode(b"a,b").decode()
    parts = [
        {"type": "text", "text": "Look", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "text", "text": " \n"},
        {"type": "image_url", "image_url": {"url": PNG}},
        {"type": "image_url", "image_url": {"url": "s3://b/x.webp"}},
        {
            "type": "file",
            "file": {"filename": "dir/q3_sales  (1).csv", "file_data": f"data:text/csv;base64,{document}"},
        },
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"guardContent": {"text": {"text": "native"}}},
    ]
    (message,) = request({"messages": [{"role": "user", "content": parts}]})["messages"]
    assert message["content"] == [
        {"text": "Look"},
        {"cachePoint": {"type": "default", "ttl": "1h"}},
        {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}},
        {"image": {"format": "webp", "source": {"s3Location": {"uri": "s3://b/x.webp"}}}},
        {"document": {"format": "csv", "name": "q3 sales (1)", "source": {"bytes": document}}},
        {"audio": {"format": "wav", "source": {"bytes": "AAAA"}}},
        {"guardContent": {"text": {"text": "native"}}},
    ]
    for part, kind in [
        ({"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}, UnsupportedParameter),
        ({"type": "image_url", "image_url": {"url": "data:image/tiff;base64,AA"}}, UnsupportedParameter),
        ({"type": "image_url", "image_url": {"url": "x"}}, RequestRejected),
        ({"type": "file", "file": {"file_id": "file-1"}}, UnsupportedParameter),
        ({"type": "hologram"}, UnsupportedParameter),
        ("text", RequestRejected),
    ]:
        assert type(refused({"messages": [{"role": "user", "content": [part]}]})) is kind, part


def test_turns_alternate_and_results_come_together() -> None:
    other = {**CALL, "id": "call.with:signs" + "x" * 60}
    messages = [
        {"role": "system", "content": "One."},
        *({"role": "user", "content": text} for text in ("a", "b")),
        {"role": "assistant", "content": "", "tool_calls": [CALL, other]},
        {"role": "tool", "tool_call_id": "t1", "content": "1"},
        {"role": "tool", "tool_call_id": other["id"], "content": ""},
        {"role": "user", "content": "Go on"},
        {"role": "system", "content": "Two."},
    ]
    sent = request({"messages": messages, "tools": [WEATHER]})
    assert sent["system"] == [{"text": "One."}, {"text": "Two."}]
    first, said, answered = sent["messages"]
    assert first["content"] == [{"text": "a"}, {"text": "b"}]
    ids = [block["toolUse"]["toolUseId"] for block in said["content"]]
    assert ids[0] == "t1"
    assert len(ids[1]) <= 64
    assert [block.get("toolResult", {}).get("toolUseId") for block in answered["content"]] == [*ids, None]
    assert answered["content"][1]["toolResult"]["content"] == []


def test_reasoning_goes_back_signed() -> None:
    thoughts = [
        {"type": "thinking", "thinking": "Hm.", "signature": "sig", "index": 0},
        {"type": "redacted_thinking", "data": "AAAA"},
    ]
    messages = [*TALK[:1], {**TALK[1], "thinking_blocks": thoughts, "reasoning_content": "Hm."}, *TALK[2:]]
    said = request({"messages": messages, "tools": [WEATHER]})["messages"][1]["content"]
    assert said[:2] == [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "sig"}}},
        {"reasoningContent": {"redactedContent": "AAAA"}},
    ]


def test_tool_choices() -> None:
    named = {"type": "function", "function": {"name": "get_weather"}}
    for choice, converse in [
        ("auto", {"auto": {}}),
        ("required", {"any": {}}),
        (named, {"tool": {"name": "get_weather"}}),
    ]:
        assert request({"tools": [WEATHER], "tool_choice": choice})["toolConfig"]["toolChoice"] == converse
    assert "toolChoice" not in request({"tools": [WEATHER]})["toolConfig"]
    assert "toolConfig" not in request({"tools": [WEATHER], "tool_choice": "none"}, LLAMA)
    more = request({"messages": TALK, "tools": [WEATHER], "tool_choice": "none"})
    assert more["additionalModelRequestFields"] == {"tool_choice": {"type": "none"}}
    assert (
        refused({"messages": TALK, "tools": [WEATHER], "tool_choice": "none"}, LLAMA).param == "tool_choice"
    )
    alone = request({"tools": [WEATHER], "tool_choice": named, "parallel_tool_calls": False})
    assert alone["additionalModelRequestFields"]["tool_choice"] == {
        "type": "tool", "name": "get_weather", "disable_parallel_tool_use": True
    }  # fmt: skip
    assert refused({"tools": [WEATHER], "parallel_tool_calls": False}, NOVA).param == "parallel_tool_calls"
    assert refused({"tool_choice": "required"}).param == "tool_choice"
    assert refused({"tools": [{"type": "custom", "custom": {}}]}).param == "tools[0]"


def test_a_history_with_calls_brings_their_tools() -> None:
    sent = request({"messages": TALK})
    assert [each["toolSpec"]["name"] for each in sent["toolConfig"]["tools"]] == ["get_weather"]
    assert sent["additionalModelRequestFields"] == {"tool_choice": {"type": "none"}}


def test_settings() -> None:
    for model, effort, part in [
        (CLAUDE, "medium", {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 4096}}}),
        ("us.anthropic.claude-opus-4-6-v1", "minimal", {"outputConfig": {"effort": "low"}, "additionalModelRequestFields": {"thinking": {"type": "adaptive"}}}),
        (CLAUDE, "none", {"additionalModelRequestFields": {"thinking": {"type": "disabled"}}}),
        (NOVA, "high", {"additionalModelRequestFields": {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}}),
        ("openai.gpt-oss-120b-1:0", "low", {"additionalModelRequestFields": {"reasoning_effort": "low"}}),
    ]:  # fmt: skip
        sent = request({"reasoning_effort": effort}, model)
        del sent["messages"]
        assert sent == part, (model, effort)
    sent = request({"reasoning_effort": "high", "max_tokens": 3000})
    assert sent["additionalModelRequestFields"]["thinking"]["budget_tokens"] == 2400
    for body, model in (
        ({"reasoning_effort": "max"}, NOVA),
        ({"reasoning_effort": "low", "max_tokens": 9}, CLAUDE),
    ):
        error = refused(body, model)
        assert (type(error), error.param) == (UnsupportedParameter, "reasoning_effort")
        assert f"bedrock/{model}" in error.message
    sent = request(
        {
            "user": "u1",
            "metadata": {"team": "a"},
            "service_tier": "flex",
            "top_k": 5,
            "thinking": {"type": "x"},
        }
    )
    assert sent["requestMetadata"] == {"team": "a", "user": "u1"}
    assert sent["serviceTier"] == {"type": "flex"}
    assert sent["additionalModelRequestFields"] == {"top_k": 5, "thinking": {"type": "x"}}
    assert "serviceTier" not in request({"service_tier": "auto"})
    assert request({"guardrailConfig": {"guardrailIdentifier": "g"}})["guardrailConfig"] == {
        "guardrailIdentifier": "g"
    }
    assert "JSON" in request({"response_format": {"type": "json_object"}})["system"][0]["text"]
    assert request({}, max_tokens=9)["inferenceConfig"] == {"maxTokens": 9}
    assert request({"n": 1, "store": False, "stream_options": {}, "seed": None}) == request({})


def test_what_cannot_be_taken_is_refused_or_dropped() -> None:
    for name, value in [
        *(("n", 2), ("seed", 1), ("logprobs", True), ("logit_bias", {"1": 1}), ("presence_penalty", 1)),
        *(("temperature", 1.5), ("prediction", {}), ("store", True), ("service_tier", "scale")),
    ]:
        error = refused({name: value})
        assert (type(error), error.param) == (UnsupportedParameter, name)
        assert request({name: value}, drop=frozenset({name})) == request({})
    named = [{"role": "user", "content": "Hi", "name": "jo"}]
    assert refused({"messages": named}, quirks=Quirks()).param == "messages[0].name"
    assert request({"messages": named}) == request({})
    assert request({"max_output": 5}, rename={"max_output": "max_tokens"})["inferenceConfig"] == {
        "maxTokens": 5
    }
    for body in ({"messages": []}, {"messages": "x"}, {"max_tokens": "x"}, {"max_tokens": 1, "max_completion_tokens": 2},
                 {"stop": 5}, {"metadata": {"a": 1}}, {"reasoning_effort": "wild"}, {"temperature": "hot"},
                 {"response_format": {"type": "x"}}, {"inferenceConfig": {"maxTokens": 1}, "max_tokens": 2}):  # fmt: skip
        assert type(refused(body)) is RequestRejected, body


ARGUMENTS = st.dictionaries(
    st.text(max_size=5), st.text(max_size=5) | st.integers() | st.booleans(), max_size=3
)
NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)


@given(st.lists(st.lists(st.tuples(NAMES, ARGUMENTS), min_size=1, max_size=3), min_size=1, max_size=3))
def test_tool_talk_of_any_shape_keeps_ids_order_names_and_arguments(turns: list[Any]) -> None:
    messages: list[Any] = [{"role": "user", "content": "Go"}]
    expected = []
    for turn, calls in enumerate(turns):
        made = [(f"c{turn}_{i}", name, arguments) for i, (name, arguments) in enumerate(calls)]
        expected += made
        messages.append({
            "role": "assistant",
            "tool_calls": [
                {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
                for id, name, arguments in made
            ],
        })  # fmt: skip
        messages += [{"role": "tool", "tool_call_id": id, "content": id} for id, _, _ in made]
    blocks = [
        block for message in request({"messages": messages})["messages"] for block in message["content"]
    ]
    uses = [block["toolUse"] for block in blocks if "toolUse" in block]
    assert [(use["toolUseId"], use["name"], use["input"]) for use in uses] == expected
    results = [block["toolResult"] for block in blocks if "toolResult" in block]
    assert [(r["toolUseId"], r["content"]) for r in results] == [
        (id, [{"text": id}]) for id, _, _ in expected
    ]
    output = {
        "output": {"message": {"content": [{"toolUse": use} for use in uses]}},
        "stopReason": "tool_use",
        "usage": {},
    }
    body = json.loads(response_of(output))
    said = body["choices"][0]["message"]["tool_calls"]
    assert [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])) for call in said
    ] == expected


def response_of(output: dict[str, Any]) -> bytes:
    from providers.types import Head

    call = Call(Operation.CHAT, "m", {})
    return chat.parse_response(call, target(), Head(200, {}), json.dumps(output).encode()).body


def blobs(value: Any) -> Any:
    """Give what an SDK would be given: bytes where JSON has them in base64."""
    if isinstance(value, list):
        return [blobs(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64decode(item) if key in {"bytes", "redactedContent"} else blobs(item)
        for key, item in value.items()
    }


def test_amazons_own_model_of_the_api_takes_every_request_above() -> None:
    session = pytest.importorskip("botocore.session").get_session()
    from botocore.validate import ParamValidator

    test_parts()
    test_settings()
    shape = session.get_service_model("bedrock-runtime").operation_model("Converse").input_shape
    for sent in MADE:
        report = ParamValidator().validate({"modelId": "m", **blobs(sent)}, shape)
        assert not report.has_errors(), (report.generate_report(), sent)
