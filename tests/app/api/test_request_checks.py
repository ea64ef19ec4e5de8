"""What a request must be before it costs anything."""

from __future__ import annotations

from typing import Any

import pytest

from app.api.request_checks import check_request
from app.errors import BadRequest
from providers.types import Operation

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
MINIMAL = {
    Operation.CHAT: CHAT,
    Operation.COMPLETIONS: {"model": "m", "prompt": "hi"},
    Operation.EMBEDDINGS: {"model": "m", "input": ["hi"]},
}
OPTIONAL = [
    *(
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "n",
        "temperature",
        "top_p",
        "tools",
    ),
]


def refused(body: dict[str, Any], operation: Operation = Operation.CHAT) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        check_request(operation, body)
    assert caught.value.http_status == 400
    return caught.value


@pytest.mark.parametrize("operation", MINIMAL)
def test_minimal_requests_pass_with_unknown_and_null_fields(operation: Operation) -> None:
    check_request(operation, MINIMAL[operation])
    check_request(operation, MINIMAL[operation] | {"unheard_of": {"x": [1]}, "seed": -1})
    check_request(operation, MINIMAL[operation] | dict.fromkeys(OPTIONAL))
    check_request(operation, MINIMAL[operation] | {"stream_options": {"include_obfuscation": False}})


@pytest.mark.parametrize(("operation", "field"), [
    (operation, field) for operation, body in MINIMAL.items() for field in body
])  # fmt: skip
@pytest.mark.parametrize("value", ["absent", None, 5, True, {}])
def test_required_fields(operation: Operation, field: str, value: Any) -> None:
    body = {name: old for name, old in MINIMAL[operation].items() if name != field}
    assert refused(body if value == "absent" else body | {field: value}, operation).param == field


def test_what_operations_beside_words_need() -> None:
    asked: dict[Operation, dict[str, Any]] = {
        Operation.RERANK: {"query": "q", "documents": ["a", {"text": "b"}]},
        Operation.IMAGE_GENERATION: {"prompt": "p"},
        Operation.IMAGE_EDIT: {"prompt": "p"},
        Operation.VIDEO: {"prompt": "p"},
        Operation.SPEECH: {"input": "hi"},
        Operation.TRANSCRIPTION: {},
        Operation.TRANSLATION: {},
        Operation.MODERATION: {"input": ["hi"]},
    }
    for operation, fields in asked.items():
        body = {"model": "m", **fields}
        check_request(operation, body | {"unheard_of": 1, "user": None})
        for name in body:
            for value in (None, 5, {}):
                assert refused(body | {name: value}, operation).param == name, (operation, name)
    rerank = {"model": "m", **asked[Operation.RERANK]}
    for name, value in (("documents", []), ("documents", [1]), ("documents", ["x"] * 10_001), ("top_n", 0)):
        assert refused(rerank | {name: value}, Operation.RERANK).param in (name, f"{name}[0]")
    speech = {"model": "m", **asked[Operation.SPEECH]}
    assert refused(speech | {"stream_format": "mp3"}, Operation.SPEECH).param == "stream_format"
    assert refused(rerank | {"stream": True}, Operation.RERANK).param == "stream"


@pytest.mark.parametrize("model", ["", "x" * 257, "a\nb", "a\x00b", "a\x7f", ["m"], "\u202eevil"])
def test_model_names_are_short_and_printable(model: Any) -> None:
    assert refused(CHAT | {"model": model}).param == "model"


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([], "messages"),
        ("hi", "messages"),
        (["hi"], "messages[0]"),
        ([{"role": "user"}, None], "messages[1]"),
        ([{"content": "hi"}], "messages[0].role"),
        ([{"role": 1}], "messages[0].role"),
        ([{"role": "user"}] * 10_001, "messages"),
    ],
)
def test_messages_are_objects_with_roles(messages: Any, param: str) -> None:
    assert refused(CHAT | {"messages": messages}).param == param


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens", "n"])
@pytest.mark.parametrize("value", [18446744073686646784, 2**31 + 1, -1, 0, 1.5, 1.0, True, "5", [1], {}])
def test_case_18_counts(field: str, value: Any) -> None:
    assert refused(CHAT | {field: value}).param == field


def test_case_18_many_choices() -> None:
    assert refused(CHAT | {"n": 10**9}).param == "n"
    assert refused(CHAT | {"n": 129}).param == "n"
    check_request(Operation.CHAT, CHAT | {"n": 128, "max_tokens": 1})


@pytest.mark.parametrize("field", ["temperature", "top_p"])
@pytest.mark.parametrize("value", [True, "1", [], float("inf"), float("nan")])
def test_numbers(field: str, value: Any) -> None:
    assert refused(CHAT | {field: value}).param == field
    check_request(Operation.CHAT, CHAT | {field: 0})


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"stream": "true"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream_options": True}, "stream_options"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"tools": {}}, "tools"),
        ({"tools": ["x"]}, "tools[0]"),
        ({"tools": [{}] * 1_001}, "tools"),
    ],
)
def test_flags_options_and_tools(fields: dict[str, Any], param: str) -> None:
    assert refused(CHAT | fields).param == param


@pytest.mark.parametrize("value", [True, "true", 1])
def test_embeddings_are_not_streamed(value: Any) -> None:
    assert refused(MINIMAL[Operation.EMBEDDINGS] | {"stream": value}, Operation.EMBEDDINGS).param == "stream"
    check_request(Operation.EMBEDDINGS, MINIMAL[Operation.EMBEDDINGS] | {"stream": False})


STEERING = [
    *("api_base", "base_url", "api_key", "custom_llm_provider", "extra_headers", "extra_body", "fallbacks"),
    *(
        "model_list",
        "api_version",
        "api_type",
        "litellm_params",
        "litellm_x",
        "mock_response",
    ),
]


@pytest.mark.parametrize("field", STEERING)
@pytest.mark.parametrize("operation", MINIMAL)
def test_case_23_routing_fields(field: str, operation: Operation) -> None:
    for value in ("http://evil.test", None, {}):
        error = refused(MINIMAL[operation] | {field: value}, operation)
        assert (error.code, error.param) == ("field_not_allowed", field)


@pytest.mark.parametrize("container", ["metadata", "extra_body"])
def test_case_23_routing_fields_inside(container: str) -> None:
    error = refused(CHAT | {container: {"api_base": "http://evil.test"}})
    assert (error.code, error.param) == ("field_not_allowed", f"{container}.api_base")


def test_case_23_a_secret_in_a_refused_field_is_not_repeated() -> None:
    assert b"sk-very-secret" not in refused(CHAT | {"api_key": "sk-very-secret"}).body()


def test_metadata_of_the_clients_own_passes() -> None:
    check_request(Operation.CHAT, CHAT | {"metadata": {"topic": "api_base"}})
