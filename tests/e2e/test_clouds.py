"""The official Python client with models at Azure and Bedrock."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import APIError, OpenAI

from tests.harness import actions as act
from tests.harness.lanes import ANSWER
from tests.harness.rig import Rig, credential_of, model_of

QUESTION: list[Any] = [{"role": "user", "content": "What is the capital of France?"}]
FRAMES = "application/vnd.amazon.eventstream"


def text_of(chunks: list[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_bedrock(rig: Rig, openai: OpenAI) -> None:
    slot = rig.bedrock()
    stream = act.reply(act.golden("bedrock/converse_stream_text.eventstream.bin"), kind=FRAMES)
    tools = act.reply(act.golden("bedrock/converse_stream_tool_use.eventstream.bin"), kind=FRAMES)
    slot.script(act.golden_reply("bedrock/converse_response.json"), stream, tools)
    answer = openai.chat.completions.create(model=model_of(slot), messages=QUESTION)
    assert answer.choices[0].message.content == ANSWER
    assert slot.last.path == f"/model/{slot.name}/converse"
    assert slot.last.header("authorization") == f"Bearer {credential_of('bed')}"
    with openai.chat.completions.create(
        model=model_of(slot), messages=QUESTION, stream=True, stream_options={"include_usage": True}
    ) as events:
        chunks = list(events)
    assert text_of(chunks) == ANSWER
    assert chunks[-1].usage
    assert chunks[-1].usage.total_tokens == 30
    assert slot.last.path == f"/model/{slot.name}/converse-stream"
    with openai.chat.completions.stream(model=model_of(slot), messages=QUESTION) as helped:
        calls = helped.get_final_completion().choices[0].message.tool_calls
    assert calls
    assert json.loads(calls[0].function.arguments) == {"location": "Paris"}


def test_bedrock_streams_that_fail(rig: Rig, openai: OpenAI) -> None:
    slot = rig.bedrock()
    whole = act.golden("bedrock/converse_stream_text.eventstream.bin")
    slot.script(
        act.reply(whole[:600], kind=FRAMES),
        act.json_reply({"message": "slow"}, 429, {"x-amzn-errortype": "ThrottlingException:http://x"}),
    )
    with (
        pytest.raises(APIError, match="ended before"),
        openai.chat.completions.create(model=model_of(slot), messages=QUESTION, stream=True) as events,
    ):
        list(events)
    with pytest.raises(APIError) as caught:
        openai.chat.completions.create(model=model_of(slot), messages=QUESTION, stream=True)
    assert caught.value.code == "upstream_rate_limited"


def test_azure(rig: Rig, openai: OpenAI) -> None:
    slot = rig.azure()
    stream = act.reply(act.golden("azure/stream_text.sse"), kind="text/event-stream")
    refused = act.golden_reply("azure/error_400_content_filter.json", 400)
    slot.script(act.golden_reply("azure/chat_response.json"), stream, refused)
    answer = openai.chat.completions.create(model=model_of(slot), messages=QUESTION)
    assert answer.choices[0].message.content == ANSWER
    assert answer.model_extra
    assert answer.model_extra["prompt_filter_results"]
    assert slot.last.path == f"/openai/deployments/{slot.name}/chat/completions?api-version=2024-10-21"
    assert slot.last.header("api-key") == credential_of("azr")
    with openai.chat.completions.create(model=model_of(slot), messages=QUESTION, stream=True) as events:
        chunks = list(events)
    assert text_of(chunks) == ANSWER
    assert all(chunk.choices for chunk in chunks)
    with pytest.raises(APIError) as caught:
        openai.chat.completions.create(model=model_of(slot), messages=QUESTION)
    assert caught.value.code == "content_filter"
