"""The official Python client works through the gateway, whatever dialect the provider speaks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from tests.harness import actions as act
from tests.harness.lanes import ANSWER, Lane
from tests.harness.rig import Rig, model_of, provider_of

QUESTION: list[Any] = [{"role": "user", "content": "What is the capital of France?"}]
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"location": {"type": "string"}}},
        },
    }
]


def test_chat(rig: Rig, openai: OpenAI, lane: Lane) -> None:
    slot = lane.take(rig)
    slot.script(lane.chat_reply())
    answer = openai.chat.completions.create(model=model_of(slot), messages=QUESTION)
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.content == ANSWER
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


async def test_chat_async(rig: Rig, async_openai: AsyncOpenAI, lane: Lane) -> None:
    slot = lane.take(rig)
    slot.script(lane.chat_reply())
    answer = await async_openai.chat.completions.create(model=model_of(slot), messages=QUESTION)
    assert answer.choices[0].message.content == ANSWER


def test_stream(rig: Rig, openai: OpenAI, lane: Lane) -> None:
    slot = lane.take(rig)
    slot.script(lane.text_stream())
    with openai.chat.completions.create(model=model_of(slot), messages=QUESTION, stream=True) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ANSWER
    assert [c.choices[0].delta.role for c in chunks if c.choices[0].delta.role] == ["assistant"]
    assert [c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason] == ["stop"]
    assert len({chunk.id for chunk in chunks}) == 1
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}


async def test_stream_async(rig: Rig, async_openai: AsyncOpenAI, lane: Lane) -> None:
    slot = lane.take(rig)
    slot.script(lane.text_stream())
    stream = await async_openai.chat.completions.create(model=model_of(slot), messages=QUESTION, stream=True)
    async with stream:
        texts = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(texts) == ANSWER


def test_tools(rig: Rig, openai: OpenAI, lane: Lane) -> None:
    slot = lane.take(rig)
    slot.script(act.golden_reply(lane.tools))
    answer = openai.chat.completions.create(model=model_of(slot), messages=QUESTION, tools=TOOLS)
    calls = answer.choices[0].message.tool_calls
    assert answer.choices[0].finish_reason == "tool_calls"
    assert calls
    assert calls[0].type == "function"
    assert calls[0].function.name == "get_weather"
    assert "Paris" in json.loads(calls[0].function.arguments)["location"]


def test_the_stream_helper_assembles_parallel_tool_calls(rig: Rig, openai: OpenAI, lane: Lane) -> None:
    slot = lane.take(rig)
    slot.script(act.golden_stream(lane.tool_stream))
    with openai.chat.completions.stream(model=model_of(slot), messages=QUESTION, tools=TOOLS) as stream:
        answer = stream.get_final_completion()
    calls = answer.choices[0].message.tool_calls
    assert answer.choices[0].finish_reason == "tool_calls"
    assert calls
    assert len(calls) == 2
    assert len({call.id for call in calls}) == 2
    for call in calls:
        assert call.function.name.startswith("get_")
        assert isinstance(json.loads(call.function.arguments), dict)


class City(BaseModel):
    name: str
    country: str


def test_structured_outputs(rig: Rig, openai: OpenAI, lane: Lane) -> None:
    text = '{"name":"Paris","country":"France"}'
    recorded = act.golden(lane.chat).replace(json.dumps(ANSWER).encode(), json.dumps(text).encode())
    slot = lane.take(rig)
    slot.script(act.reply(recorded))
    answer = openai.chat.completions.parse(model=model_of(slot), messages=QUESTION, response_format=City)
    assert answer.choices[0].message.parsed == City(name="Paris", country="France")
    assert b'"country"' in slot.last.body, "the schema did not reach the provider"


def test_embeddings_with_the_clients_default_encoding(rig: Rig, openai: OpenAI) -> None:
    slot = rig.exact()
    slot.script(act.golden_reply("openai/embeddings_response_base64.json"))
    answer = openai.embeddings.create(model=model_of(slot), input="hello")
    assert slot.last.json["encoding_format"] == "base64"
    assert slot.last.path == "/v1/embeddings"
    assert all(isinstance(number, float) for number in answer.data[0].embedding)
    assert answer.usage.prompt_tokens > 0


def test_embeddings_as_floats(rig: Rig, openai: OpenAI) -> None:
    slot = rig.plain()
    slot.script(act.golden_reply("openai/embeddings_response.json"))
    answer = openai.embeddings.create(model=model_of(slot), input=["a", "b"], encoding_format="float")
    expected = json.loads(act.golden("openai/embeddings_response.json"))["data"][0]["embedding"]
    assert answer.data[0].embedding == pytest.approx(expected)


def test_legacy_completions(rig: Rig, openai: OpenAI) -> None:
    slot = rig.exact()
    slot.script(act.golden_reply("openai/completion_response.json"))
    answer = openai.completions.create(model=model_of(slot), prompt="The capital of France is")
    assert answer.object == "text_completion"
    assert answer.choices[0].text
    assert slot.last.path == "/v1/completions"


def test_legacy_completions_stream(rig: Rig, openai: OpenAI) -> None:
    slot = rig.plain()
    slot.script(act.golden_stream("openai/completion_stream.sse"))
    with openai.completions.create(model=model_of(slot), prompt="x", stream=True) as stream:
        texts = [chunk.choices[0].text for chunk in stream]
    assert "".join(texts) == " Paris."


def test_models_can_be_listed_and_retrieved(openai: OpenAI) -> None:
    listed = [model.id for model in openai.models.list()]
    assert "fast" in listed
    model = openai.models.retrieve("fast")
    assert model.id == "fast"
    assert model.object == "model"


def test_a_key_sees_only_the_models_it_may_use(rig: Rig) -> None:
    from tests.harness.gateway import LIMITED_KEY

    with OpenAI(base_url=f"{rig.gateway.base_url}/v1", api_key=LIMITED_KEY) as limited:
        assert [model.id for model in limited.models.list()] == ["fast"]


def test_the_headers_say_who_answered(rig: Rig, openai: OpenAI) -> None:
    slot = rig.exact()
    slot.script(act.golden_reply("openai/chat_response.json"))
    raw = openai.chat.completions.with_raw_response.create(model=model_of(slot), messages=QUESTION)
    assert raw.parse().choices[0].message.content == ANSWER
    assert raw.headers["x-switchgear-provider"] == provider_of(slot)
    assert raw.headers["x-switchgear-model"] == slot.name
    assert raw.headers["x-switchgear-attempts"] == "1"
    assert 0 <= float(raw.headers["x-switchgear-overhead-ms"]) < 1000
    assert raw.headers["x-request-id"]
    assert raw.parse()._request_id == raw.headers["x-request-id"]


def test_a_streams_headers_say_who_answered(rig: Rig, openai: OpenAI) -> None:
    slot = rig.anthropic()
    slot.script(act.golden_stream("anthropic/stream_text.sse"))
    with openai.chat.completions.with_streaming_response.create(
        model=model_of(slot), messages=QUESTION, stream=True
    ) as raw:
        assert raw.headers["content-type"].startswith("text/event-stream")
        assert raw.headers["x-switchgear-provider"] == provider_of(slot)
        assert raw.headers["x-request-id"]
