"""Every failure reaches the official Python client as the exception class that fits it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai as sdk
import pytest
from openai import OpenAI

from tests.harness import actions as act
from tests.harness.gateway import KEY, LIMITED_KEY
from tests.harness.lanes import Lane
from tests.harness.rig import Rig, model_of
from tests.harness.upstream import Gate

QUESTION: list[Any] = [{"role": "user", "content": "Hi"}]


def ask(client: OpenAI, model: str, **fields: Any) -> sdk.APIStatusError:
    with pytest.raises(sdk.APIStatusError) as caught:
        client.chat.completions.create(model=model, messages=QUESTION, **fields)
    assert caught.value.request_id
    assert caught.value.message
    return caught.value


UPSTREAM_ERRORS = {
    400: (sdk.BadRequestError, 400, None),
    401: (sdk.InternalServerError, 502, "upstream_auth_error"),
    403: (sdk.InternalServerError, 502, "upstream_auth_error"),
    404: (sdk.NotFoundError, 404, "model_not_found"),
    413: (sdk.APIStatusError, 413, None),
    422: (sdk.UnprocessableEntityError, 422, None),
    429: (sdk.RateLimitError, 429, "upstream_rate_limited"),
    500: (sdk.InternalServerError, 502, "upstream_error"),
    502: (sdk.InternalServerError, 502, "upstream_error"),
    503: (sdk.InternalServerError, 503, "upstream_overloaded"),
    504: (sdk.InternalServerError, 504, "upstream_timeout"),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("status", UPSTREAM_ERRORS)
def test_a_providers_status(rig: Rig, openai: OpenAI, status: int, stream: bool) -> None:
    kind, expected, code = UPSTREAM_ERRORS[status]
    slot = rig.lone() if status == 401 else rig.exact()
    slot.script(act.error_reply(status, "the provider says no"))
    error = ask(openai, model_of(slot), stream=stream)
    assert type(error) is kind
    assert error.status_code == expected
    assert error.code == code or code is None


ANTHROPIC_ERRORS = {
    "error_400": (sdk.BadRequestError, None),
    "error_400_prompt_too_long": (sdk.BadRequestError, "context_length_exceeded"),
    "error_401": (sdk.InternalServerError, "upstream_auth_error"),
    "error_404": (sdk.NotFoundError, "model_not_found"),
    "error_429": (sdk.RateLimitError, "upstream_rate_limited"),
    "error_500": (sdk.InternalServerError, "upstream_error"),
    "error_529": (sdk.InternalServerError, "upstream_overloaded"),
}


@pytest.mark.parametrize("name", ANTHROPIC_ERRORS)
def test_an_anthropic_error(rig: Rig, openai: OpenAI, name: str) -> None:
    kind, code = ANTHROPIC_ERRORS[name]
    slot = rig.lone("loneant") if name == "error_401" else rig.anthropic()
    slot.script(act.golden_reply(f"anthropic/{name}.json", int(name.split("_")[1])))
    error = ask(openai, model_of(slot))
    assert type(error) is kind
    assert error.code == code or code is None


def test_a_context_window_that_is_too_small(rig: Rig, openai: OpenAI) -> None:
    slot = rig.plain()
    slot.script(act.golden_reply("openai/error_400_context_length.json", 400))
    error = ask(openai, model_of(slot))
    assert type(error) is sdk.BadRequestError
    assert error.code == "context_length_exceeded"
    assert error.param == "messages"
    assert "128000 tokens" in error.message


def with_key(rig: Rig, key: str) -> OpenAI:
    return OpenAI(base_url=f"{rig.gateway.base_url}/v1", api_key=key, max_retries=0)


def test_a_wrong_key(rig: Rig) -> None:
    with with_key(rig, "sk-wrong-0123456789abcdef") as client:
        error = ask(client, "fast")
    assert type(error) is sdk.AuthenticationError
    assert error.code == "invalid_api_key"


def test_a_model_that_the_key_may_not_use(rig: Rig) -> None:
    with with_key(rig, LIMITED_KEY) as client:
        error = ask(client, model_of(rig.exact()))
    assert type(error) is sdk.PermissionDeniedError
    assert error.code == "permission_denied"


def test_an_unknown_model_names_near_ones(openai: OpenAI) -> None:
    error = ask(openai, "fastt")
    assert type(error) is sdk.NotFoundError
    assert error.code == "model_not_found"
    assert "fast" in error.message.replace("fastt", "")


def test_a_body_that_is_too_large(rig: Rig) -> None:
    with with_key(rig, KEY) as client, pytest.raises(sdk.APIStatusError) as caught:
        client.chat.completions.create(model="fast", messages=[{"role": "user", "content": "x" * (33 << 20)}])
    assert caught.value.status_code == 413
    assert caught.value.code == "request_too_large"


def test_a_wrong_field(rig: Rig, openai: OpenAI) -> None:
    slot = rig.exact()
    error = ask(openai, model_of(slot), max_tokens=-1)
    assert type(error) is sdk.BadRequestError
    assert error.param == "max_tokens"
    assert slot.requests == []


def test_what_a_provider_cannot_take_is_told_with_its_name_and_the_models(rig: Rig, openai: OpenAI) -> None:
    for slot, field, value in (
        (rig.anthropic(), "seed", 7),
        (rig.anthropic(), "temperature", 1.5),
        (rig.anthropic(), "stop", ["\n"]),
        (rig.gemini(), "logit_bias", {"1": 1}),
        (rig.bedrock(), "service_tier", "scale"),
        (rig.responses(), "seed", 7),
    ):
        error = ask(openai, model_of(slot), **{field: value})
        assert (error.status_code, error.code, error.param) == (400, "unsupported_parameter", field)
        assert f"`{model_of(slot)}`" in error.message
        assert f"`{field}`" in error.message
        assert slot.requests == []


def test_a_wrong_path(openai: OpenAI) -> None:
    with pytest.raises(sdk.NotFoundError) as caught:
        openai.get("/nowhere", cast_to=object)
    assert caught.value.code == "not_found"


def test_a_provider_that_never_answers(rig: Rig, openai: OpenAI, lane: Lane) -> None:
    slot = lane.take(rig)
    slot.script([act.hang])
    error = ask(openai, model_of(slot))
    assert type(error) is sdk.InternalServerError
    assert error.status_code == 504
    assert error.code == "upstream_timeout"


def test_an_error_in_the_middle_of_a_stream(rig: Rig, openai: OpenAI) -> None:
    slot = rig.exact()
    slot.script(act.golden_stream("openai/chat_stream_error_midway.sse"))
    assert_stream_breaks(openai, model_of(slot), "The capital of")


def test_an_anthropic_error_in_the_middle_of_a_stream(rig: Rig, openai: OpenAI) -> None:
    slot = rig.anthropic()
    slot.script(act.golden_stream("anthropic/stream_error_overloaded.sse"))
    assert_stream_breaks(openai, model_of(slot), "The capital of France")


@pytest.mark.parametrize("cut", [act.reset, act.close], ids=["RST", "FIN"])
def test_a_stream_that_breaks_off_is_no_success(
    rig: Rig, openai: OpenAI, lane: Lane, cut: Callable[..., Any]
) -> None:
    slot = lane.take(rig)
    gate = Gate()
    slot.script(lane.text_stream([act.wait_for(gate), cut], first=5))
    with openai.chat.completions.create(model=model_of(slot), messages=QUESTION, stream=True) as stream:
        chunks = iter(stream)
        next(chunks)
        gate.open()
        with pytest.raises(sdk.APIError) as caught:
            list(chunks)
    assert caught.value.code == "upstream_disconnected"


def assert_stream_breaks(client: OpenAI, model: str, text: str) -> None:
    seen: list[str] = []
    with (
        client.chat.completions.create(model=model, messages=QUESTION, stream=True) as stream,
        pytest.raises(sdk.APIError) as caught,
    ):
        seen.extend(chunk.choices[0].delta.content or "" for chunk in stream)
    assert "".join(seen) == text
    assert caught.value.message
    assert caught.value.type
