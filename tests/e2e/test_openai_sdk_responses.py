"""The official Python client over providers of the Responses dialect, a whole turn with tools among them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import BadRequestError, OpenAI

from tests.harness import actions as act
from tests.harness.lanes import ANSWER
from tests.harness.rig import Rig, model_of

QUESTION: list[Any] = [{"role": "user", "content": "What is the capital of France?"}]
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}

TOO_LONG = b'data: {"type":"error","error":{"type":"invalid_request_error","code":"context_length_exceeded","message":"m"}}\n\n'


def test_a_model_that_speaks_responses_alone(rig: Rig, openai: OpenAI) -> None:
    slot = rig.responses()
    model = model_of(slot)
    slot.script(act.golden_reply("openai/responses_response.json"))
    answer = openai.chat.completions.create(model=model, messages=QUESTION)
    assert slot.last.path == "/v1/responses"
    assert slot.last.json["store"] is False
    assert answer.choices[0].message.content == ANSWER
    assert answer.usage is not None
    assert answer.usage.total_tokens == 32

    slot.script(act.golden_stream("openai/responses_stream_reasoning.sse"))
    with openai.chat.completions.stream(
        model=model, messages=QUESTION, stream_options={"include_usage": True}
    ) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.content == ANSWER
    assert final.choices[0].message.model_dump()["reasoning_content"] == "Recalling capitals."
    assert final.usage is not None
    assert final.usage.completion_tokens_details is not None
    assert final.usage.completion_tokens_details.reasoning_tokens == 64

    begin, *_ = act.events_of("openai/responses_stream_failed.sse")
    slot.script(act.stream_of([begin, TOO_LONG]))
    with pytest.raises(BadRequestError) as caught:
        openai.chat.completions.create(model=model, messages=QUESTION, stream=True)
    assert caught.value.code == "context_length_exceeded"

    with pytest.raises(BadRequestError) as refused:
        openai.chat.completions.create(model=model, messages=QUESTION, n=2)
    assert refused.value.param == "n"


def test_reasoning_survives_a_turn_with_tools(rig: Rig, openai: OpenAI) -> None:
    slot = rig.responses()
    body = json.loads(act.golden("openai/responses_response_tool_call.json"))
    body["output"].insert(0, THOUGHT)
    slot.script(act.json_reply(body), act.golden_reply("openai/responses_response.json"))
    first = openai.chat.completions.create(model=model_of(slot), messages=QUESTION).choices[0].message
    assert first.tool_calls
    result: Any = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "18"}
    said: Any = first.model_dump(exclude_none=True)
    openai.chat.completions.create(model=model_of(slot), messages=[*QUESTION, said, result])
    _, thought, call, output = slot.last.json["input"]
    assert thought == THOUGHT
    assert call["call_id"] == output["call_id"] == first.tool_calls[0].id


def test_perplexity_keeps_citations(rig: Rig, openai: OpenAI) -> None:
    slot = rig.upstream.slot("vendor/pplx-1")
    slot.script(act.golden_reply("perplexity/chat_response.json"))
    answer = openai.chat.completions.create(model="pplx/vendor/pplx-1", messages=QUESTION)
    assert slot.last.path == "/v1/responses"
    assert slot.last.json["tools"] == [{"type": "web_search"}]
    assert answer.model_dump()["citations"] == ["https://en.wikipedia.org/wiki/Paris"]

    slot.script(act.golden_stream("perplexity/stream_text.sse"))
    with openai.chat.completions.create(model="pplx/vendor/pplx-1", messages=QUESTION, stream=True) as stream:
        chunks = [chunk.model_dump() for chunk in stream]
    assert "".join(chunk["choices"][0]["delta"]["content"] or "" for chunk in chunks) == f"{ANSWER}[1]"
    assert chunks[0]["citations"] == chunks[-1]["citations"] == ["https://en.wikipedia.org/wiki/Paris"]
