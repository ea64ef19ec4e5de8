"""What the embedded provider says, and how it can be told to behave."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.echo.answers import Answer, answer

CHAT = "/chat/completions"
PATHS = [CHAT, "/completions", "/embeddings"]
NAMES = st.sampled_from([
    *("model", "messages", "prompt", "input", "n", "max_tokens", "stream", "stream_options", "echo", "status"),
    *("tools", "tool_choice", "function", "name", "parameters", "response_format", "json_schema", "schema"),
    *("type", "properties", "items", "minItems", "enum", "const", "anyOf", "role", "content", "text"),
    *("dimensions", "encoding_format", "stop_after", "error_after", "retry_after", "tool", "other"),
])  # fmt: skip


def ask(path: str = CHAT, **body: object) -> Answer:
    return answer(path, {"model": "echo", "messages": [{"role": "user", "content": "Hello there"}], **body})


def whole(said: Answer) -> dict:
    return json.loads(b"".join(said.pieces))


def events(said: Answer) -> list[dict]:
    return [json.loads(piece[6:]) for piece in said.pieces if piece != b"data: [DONE]\n\n"]


def test_the_last_user_message_comes_back() -> None:
    assert whole(ask())["choices"][0]["message"]["content"] == "Hello there"


def test_the_same_request_gets_the_same_answer() -> None:
    assert ask(stream=True) == ask(stream=True)
    assert ask("/embeddings", input="a").pieces == ask("/embeddings", input="a").pieces


def test_a_stream_says_the_same_as_the_whole_and_ends() -> None:
    said = ask(stream=True, stream_options={"include_usage": True})
    seen = events(said)
    text = "".join(event["choices"][0]["delta"].get("content") or "" for event in seen if event["choices"])
    assert text == "Hello there"
    assert seen[-1]["usage"] == whole(ask())["usage"]
    assert said.pieces[-1] == b"data: [DONE]\n\n"
    assert not said.breaks


def test_max_tokens_cuts_and_says_so() -> None:
    choice = whole(ask(max_tokens=1))["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Hell", "length")


def test_n_gives_as_many_choices() -> None:
    assert [choice["index"] for choice in whole(ask(n=3))["choices"]] == [0, 1, 2]


TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
def test_a_tool_is_called_when_the_request_asks_for_one(choice: object) -> None:
    (call,) = whole(ask(tools=[TOOL], tool_choice=choice))["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Hello there"}


def test_a_tool_is_called_when_told_to() -> None:
    said = ask(stream=True, echo={"tool": {"name": "go", "arguments": {"where": "up"}}})
    deltas = [d for e in events(said) for d in e["choices"][0]["delta"].get("tool_calls", [])]
    assert deltas[0]["function"]["name"] == "go"
    assert json.loads("".join(d["function"]["arguments"] for d in deltas)) == {"where": "up"}
    assert events(said)[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_an_answer_fits_the_schema_that_is_asked_for() -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "kind": {"enum": ["x", "y"]}},
    }
    content = whole(
        ask(response_format={"type": "json_schema", "json_schema": {"name": "p", "schema": schema}})
    )
    assert json.loads(content["choices"][0]["message"]["content"]) == {
        "name": "Hello there",
        "age": 1,
        "kind": "x",
    }


def test_it_fails_as_told() -> None:
    said = ask(echo={"status": 429, "retry_after": 2.5})
    assert (said.status, said.headers["retry-after"]) == (429, "2.5")
    assert whole(said)["error"]["message"] == "echo was told to fail with 429"


@pytest.mark.parametrize("count", [0, 1, 3])
def test_it_stops_midway_as_told(count: int) -> None:
    said = ask(stream=True, echo={"stop_after": count})
    assert (len(said.pieces), said.breaks) == (count, True)


def test_it_sends_an_error_event_as_told() -> None:
    assert "error" in events(ask(stream=True, echo={"error_after": 2}))[2]


@pytest.mark.parametrize(
    "directives", [{"status": 200.5}, {"delya": 1}, {"delay": -1}, {"delay": 1e9}, {"status": 302}, 7]
)
def test_a_wrong_directive_is_refused_and_named(directives: object) -> None:
    said = ask(echo=directives)
    assert said.status == 400
    assert "echo" in whole(said)["error"]["message"]


def test_embeddings_have_length_one_and_the_dimensions_asked_for() -> None:
    for vector in (
        item["embedding"] for item in whole(ask("/embeddings", input=["a", "b"], dimensions=5))["data"]
    ):
        assert len(vector) == 5
        assert sum(x * x for x in vector) == pytest.approx(1, abs=1e-5)


def test_usage_can_be_left_out() -> None:
    assert "usage" not in whole(ask(echo={"usage": False}))


def refused(said: Answer) -> str:
    """Give the field that a 400 names."""
    assert said.status == 400
    error = whole(said)["error"]
    assert error["message"]
    return error["param"]


def schema_of(**fields: object) -> dict:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "p", "schema": fields}}}


def user(*content: object) -> dict:
    return {"messages": [{"role": "user", "content": list(content)}]}


IN_SCHEMA = "response_format.json_schema.schema"


@pytest.mark.parametrize(("body", "param"), [
    ({"tool_choice": {"function": "x"}}, "tool_choice.function"),
    ({"tool_choice": 5}, "tool_choice"),
    ({"tools": [{"function": "x"}], "tool_choice": "required"}, "tools[0].function"),
    ({"tools": [{"function": {}}]}, "tools[0].function.name"),
    ({"tools": [{"function": {"name": "x", "parameters": 5}}]}, "tools[0].function.parameters"),
    ({"response_format": "json"}, "response_format"),
    ({"response_format": {"type": "json_schema", "json_schema": "x"}}, "response_format.json_schema"),
    (schema_of(type="array", minItems="x"), f"{IN_SCHEMA}.minItems"),
    (schema_of(type="array", minItems=-1), f"{IN_SCHEMA}.minItems"),
    (schema_of(enum=5), f"{IN_SCHEMA}.enum"),
    (schema_of(anyOf={}), f"{IN_SCHEMA}.anyOf"),
    (schema_of(type={}), f"{IN_SCHEMA}.type"),
    (schema_of(properties={"a": {"type": 5}}), f"{IN_SCHEMA}.properties[...].type"),
    (user({"type": "text", "text": 5}), "messages[0].content[0].text"),
    (user({"type": "text", "text": None}), "messages[0].content[0].text"),
    (user({"text": "x"}), "messages[0].content[0].type"),
    (user("x"), "messages[0].content[0]"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({"messages": [{}]}, "messages[0].role"),
    ({"n": 129}, "n"),
    ({"max_tokens": True}, "max_tokens"),
    ({"stream_options": []}, "stream_options"),
    ({"echo": {"stop_after": -1}}, "echo.stop_after"),
    ({"echo": {"error_after": -1}}, "echo.error_after"),
    ({"echo": {"retry_after": -1}}, "echo.retry_after"),
    ({"echo": {"tool": {"arguments": {}}}}, "echo.tool.name"),
])  # fmt: skip
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_what_it_cannot_take_is_named(body: dict, param: str, stream: bool) -> None:
    assert refused(ask(**body, stream=stream)) == param


@pytest.mark.parametrize("dimensions", ["a", -1, 0, 1.5, {}, True, 4097])
def test_wrong_dimensions_are_named(dimensions: object) -> None:
    assert refused(ask("/embeddings", input="a", dimensions=dimensions)) == "dimensions"


@pytest.mark.parametrize(("path", "field"), [("/completions", "prompt"), ("/embeddings", "input")])
@pytest.mark.parametrize("given", [[], 5, None, {}])
def test_a_wrong_text_is_named(path: str, field: str, given: object) -> None:
    assert refused(ask(path, **{field: given})) == field


@pytest.mark.parametrize(("prompt", "said"), [
    ("a", ["a"]), (["a", "b"], ["a", "b"]), ([1, 2], ["[1,2]"]), ([[1], [2, 3]], ["[1]", "[2,3]"]),
])  # fmt: skip
def test_prompts_are_texts_or_tokens(prompt: object, said: list[str]) -> None:
    assert [choice["text"] for choice in whole(ask("/completions", prompt=prompt))["choices"]] == said
    assert len(whole(ask("/embeddings", input=prompt))["data"]) == len(said)


def nested(depth: int) -> dict:
    inner: dict = {"type": "string"}
    for _ in range(depth):
        inner = {"type": "array", "minItems": 10, "items": inner}
    return inner


@pytest.mark.parametrize("schema", [
    {"type": "array", "minItems": 1_001},
    {"type": "array", "minItems": 10**15, "items": False},
    {"type": "array", "minItems": 999, "items": {"const": "x" * 2_000}},
    {"type": "array", "minItems": 999, "items": {"properties": {"x" * 2_000: {"enum": [1]}}}},
    nested(20),
])  # fmt: skip
def test_a_sample_that_would_be_huge_is_refused(schema: dict) -> None:
    assert refused(ask(**schema_of(**schema))) == "response_format"
    tool = {"type": "function", "function": {"name": "f", "parameters": {"properties": {"x": schema}}}}
    assert refused(ask(tools=[tool], tool_choice="required")) == "tools"


@pytest.mark.parametrize(("path", "body", "param"), [
    (CHAT, {"messages": [{"role": "user", "content": "x" * 200_000}], "n": 128}, "n"),
    (CHAT, {"n": 128, "echo": {"reasoning": "x" * 200_000}}, "n"),
    (CHAT, {"n": 128, "echo": {"tool": {"name": "f", "arguments": {"x": "x" * 200_000}}}}, "n"),
    ("/completions", {"prompt": ["x"] * 2_000, "n": 2}, "n"),
    ("/completions", {"prompt": ["x"] * 2_049}, "prompt"),
    ("/embeddings", {"input": ["x"] * 2_049}, "input"),
    ("/embeddings", {"input": ["x"] * 100, "dimensions": 4_096}, "input"),
])  # fmt: skip
def test_an_answer_that_would_be_huge_is_refused(path: str, body: dict, param: str) -> None:
    assert refused(ask(path, **body)) == param


def test_a_long_text_comes_in_a_bounded_number_of_events() -> None:
    text = "a b " * 250_000
    seen = events(ask(stream=True, messages=[{"role": "user", "content": text}]))
    assert len(seen) < 11_000
    assert "".join(event["choices"][0]["delta"].get("content", "") for event in seen) == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
BODIES = st.dictionaries(NAMES, JSON, max_size=8)
FIELDS = {
    "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
    "prompt": ["a"],
    "input": "a",
    "tools": [TOOL],
    "tool_choice": "required",
    "stream_options": {"include_usage": True},
    **schema_of(type="object", properties={"a": {"type": "array", "minItems": 2, "items": {"enum": [1]}}}),
    "echo": {"tool": {"name": "x"}, "stop_after": 1, "reasoning": "hm"},
}


@pytest.mark.slow
@given(body=BODIES, valid=st.sets(st.sampled_from(sorted(FIELDS))), path=st.sampled_from(PATHS))
@settings(max_examples=500)
def test_any_body_gets_an_answer_or_a_named_refusal(body: dict, valid: set[str], path: str) -> None:
    check_answer(path, {name: FIELDS[name] for name in valid} | body)


@given(data=st.data(), path=st.sampled_from(PATHS), stream=st.booleans())
@settings(max_examples=500)
@pytest.mark.slow
def test_a_good_body_with_one_thing_wrong_in_it(data: st.DataObject, path: str, stream: bool) -> None:
    body = copy.deepcopy(FIELDS) | {"stream": stream}
    where = body
    while True:
        step = data.draw(st.sampled_from(sorted(where) if isinstance(where, dict) else range(len(where))))
        if not (isinstance(where[step], (dict, list)) and where[step] and data.draw(st.booleans())):
            break
        where = where[step]
    where[step] = data.draw(JSON)
    check_answer(path, body)


def check_answer(path: str, body: dict) -> None:
    said = answer(path, body)
    if said.status == 400 and "told to fail" not in whole(said)["error"]["message"]:
        param = whole(said)["error"]["param"]
        assert param.split(".")[0].split("[")[0] in {*body, *FIELDS}
    elif said.headers["content-type"] == "application/json":
        assert isinstance(whole(said), dict)
    else:
        assert all(isinstance(event, dict) for event in events(said))
