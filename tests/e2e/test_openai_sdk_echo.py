"""The official Python client against the embedded provider: all that a user can try without any vendor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openai as sdk
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from tests.harness.rig import Rig, config_for, start_gateway
from tests.harness.secrets import Secrets

pytestmark = pytest.mark.slow

PROMPT = "Say it back, with ümläuts and 🗼."
QUESTION: list[Any] = [{"role": "user", "content": PROMPT}]
MODEL = "echo/any"


def behaving(**directives: Any) -> dict[str, Any]:
    return {"extra_body": {"echo": directives}}


def test_chat(openai: OpenAI) -> None:
    answer = openai.chat.completions.create(model=MODEL, messages=QUESTION)
    assert answer.choices[0].message.content == PROMPT
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens > 0


async def test_stream_async(async_openai: AsyncOpenAI) -> None:
    stream = await async_openai.chat.completions.create(
        model=MODEL, messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    async with stream:
        chunks = [chunk async for chunk in stream]
    *content, last = chunks
    assert "".join(chunk.choices[0].delta.content or "" for chunk in content) == PROMPT
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens > 0


def test_the_same_question_has_the_same_answer(openai: OpenAI) -> None:
    answers = [openai.chat.completions.create(model=MODEL, messages=QUESTION) for _ in range(2)]
    assert answers[0].choices == answers[1].choices


def test_several_choices(openai: OpenAI) -> None:
    answer = openai.chat.completions.create(model=MODEL, messages=QUESTION, n=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]


def test_max_tokens_cuts(openai: OpenAI) -> None:
    answer = openai.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=2)
    assert answer.choices[0].finish_reason == "length"
    assert len(answer.choices[0].message.content or "") < len(PROMPT)


def test_a_tool_call_in_a_stream(openai: OpenAI) -> None:
    tools: list[Any] = [
        {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
    ]
    directives = behaving(tool={"name": "get_weather", "arguments": {"location": "Paris"}})
    with openai.chat.completions.stream(model=MODEL, messages=QUESTION, tools=tools, **directives) as stream:
        answer = stream.get_final_completion()
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.function.name == "get_weather"
    assert "Paris" in call.function.arguments
    assert answer.choices[0].finish_reason == "tool_calls"


class City(BaseModel):
    name: str
    inhabitants: int


def test_structured_outputs(openai: OpenAI) -> None:
    answer = openai.chat.completions.parse(model=MODEL, messages=QUESTION, response_format=City)
    assert isinstance(answer.choices[0].message.parsed, City)


def test_embeddings(openai: OpenAI) -> None:
    encoded = openai.embeddings.create(model=MODEL, input=["a", "b"], dimensions=8)
    plain = openai.embeddings.create(model=MODEL, input=["a", "b"], dimensions=8, encoding_format="float")
    assert [len(item.embedding) for item in encoded.data] == [8, 8]
    assert encoded.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
    assert encoded.data[0].embedding != encoded.data[1].embedding


def test_legacy_completions(openai: OpenAI) -> None:
    assert PROMPT in openai.completions.create(model=MODEL, prompt=PROMPT, max_tokens=100).choices[0].text
    with openai.completions.create(model=MODEL, prompt=PROMPT, max_tokens=100, stream=True) as stream:
        assert PROMPT in "".join(chunk.choices[0].text for chunk in stream)


STATUSES: dict[int, type[sdk.APIStatusError]] = {
    400: sdk.BadRequestError,
    401: sdk.InternalServerError,
    404: sdk.NotFoundError,
    422: sdk.UnprocessableEntityError,
    429: sdk.RateLimitError,
    500: sdk.InternalServerError,
    503: sdk.InternalServerError,
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_error_on_request(openai: OpenAI, status: int, stream: bool) -> None:
    with pytest.raises(sdk.APIStatusError) as caught:
        openai.chat.completions.create(
            model=MODEL, messages=QUESTION, stream=stream, **behaving(status=status)
        )
    assert type(caught.value) is STATUSES[status]
    assert caught.value.request_id


def test_a_wait_on_request(openai: OpenAI) -> None:
    with pytest.raises(sdk.RateLimitError) as caught:
        openai.chat.completions.create(model=MODEL, messages=QUESTION, **behaving(status=429, retry_after=7))
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.response.headers["retry-after-ms"] == "7000"


def test_a_long_wait_is_not_to_be_retried(openai: OpenAI) -> None:
    with pytest.raises(sdk.RateLimitError) as caught:
        openai.chat.completions.create(
            model=MODEL, messages=QUESTION, **behaving(status=429, retry_after=3600)
        )
    assert caught.value.response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("directive", ["error_after", "stop_after"])
def test_a_stream_that_breaks_on_request(openai: OpenAI, directive: str) -> None:
    stream = openai.chat.completions.create(
        model=MODEL, messages=QUESTION, stream=True, extra_body={"echo": {directive: 3}}
    )
    seen: list[str] = []
    with stream, pytest.raises(sdk.APIError):
        seen.extend(chunk.choices[0].delta.content or "" for chunk in stream)
    assert PROMPT.startswith("".join(seen))


def test_a_wrong_directive_says_so(openai: OpenAI) -> None:
    with pytest.raises(sdk.BadRequestError, match="echo"):
        openai.chat.completions.create(model=MODEL, messages=QUESTION, **behaving(what=1))


def test_a_wrong_field_is_named(openai: OpenAI) -> None:
    with pytest.raises(sdk.BadRequestError) as caught:
        openai.embeddings.create(model=MODEL, input="a", dimensions=5_000)
    assert caught.value.param == "dimensions"
    with pytest.raises(sdk.BadRequestError) as caught:
        openai.chat.completions.create(model=MODEL, messages=QUESTION, **behaving(stop_after=-1))
    assert caught.value.param == "echo.stop_after"


def test_leaving_an_echo_that_takes_its_time(rig: Rig, openai: OpenAI) -> None:
    """The provider inside the process is let go of like one outside."""
    stream = openai.chat.completions.create(
        model=MODEL,
        messages=QUESTION,
        stream=True,
        extra_body={"echo": {"pause": 60}},
        extra_headers={"x-request-id": "left-echo"},
    )
    next(iter(stream))
    stream.close()
    rig.gateway.record("left-echo", outcome="client_cancelled", status=200)


def test_with_no_configuration_but_a_key(tmp_path: Path, secrets: Secrets) -> None:
    with (
        start_gateway(tmp_path / "run", secrets, config_for({}, {})) as gateway,
        OpenAI(base_url=f"{gateway.base_url}/v1", api_key="sk-test-app-0123456789abcdef") as client,
    ):
        answer = client.chat.completions.create(model="echo", messages=QUESTION)
        assert answer.choices[0].message.content == PROMPT
