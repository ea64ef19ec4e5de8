"""Gemini and Vertex through the gateway, with the official Python client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import APIStatusError, BadRequestError, OpenAI

from tests.harness import actions as act
from tests.harness.lanes import ANSWER
from tests.harness.rig import Rig, credential_of, model_of

QUESTION: list[Any] = [{"role": "user", "content": "Weather in Paris and Rome?"}]
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
]


def test_gemini_answers_whole_and_as_a_stream(rig: Rig, openai: OpenAI) -> None:
    slot = rig.gemini()
    slot.script(
        act.golden_reply("gemini/generate_response.json"), act.golden_stream("gemini/stream_text.sse")
    )
    answer = openai.chat.completions.create(model=model_of(slot), messages=QUESTION)
    assert answer.choices[0].message.content == ANSWER
    assert slot.last.path == f"/v1/models/{slot.name}:generateContent"
    assert slot.last.header("x-goog-api-key") == credential_of("gem")
    usage = {"include_usage": True}
    with openai.chat.completions.create(
        model=model_of(slot), messages=QUESTION, stream=True, stream_options=usage
    ) as stream:
        *chunks, last = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ANSWER
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert last.usage is not None
    assert last.usage.total_tokens == 42
    assert slot.last.path == f"/v1/models/{slot.name}:streamGenerateContent?alt=sse"


def test_a_turn_with_tools_goes_back_to_gemini_as_it_came(rig: Rig, openai: OpenAI) -> None:
    slot = rig.gemini()
    slot.script(
        act.golden_stream("gemini/stream_tool_call.sse"), act.golden_reply("gemini/generate_response.json")
    )
    with openai.chat.completions.stream(model=model_of(slot), messages=QUESTION, tools=TOOLS) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls
    result: Any = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": '{"temp_c": 18}'}
    openai.chat.completions.create(model=model_of(slot), messages=[*QUESTION, message, result], tools=TOOLS)
    _, model, tool = slot.last.json["contents"]
    (part,) = model["parts"]
    assert part["functionCall"]["args"] == {"location": "Paris"}
    assert part["thoughtSignature"] == "CiQBEU0yD1hCYiUoRFyerO7xltRNYWnI"
    assert tool["parts"][0]["functionResponse"]["name"] == "get_weather"
    assert tool["parts"][0]["functionResponse"]["response"] == {"temp_c": 18}


def test_gemini_embeds_and_refuses(rig: Rig, openai: OpenAI) -> None:
    slot = rig.gemini()
    error = json.loads(act.golden("gemini/error_400_invalid_argument.json"))
    slot.script(act.golden_reply("gemini/batch_embed_response.json"), act.json_reply(error, 400))
    answer = openai.embeddings.create(model=model_of(slot), input=["hello", "world"])
    assert answer.data[1].embedding == pytest.approx([0.1, 0.2, -0.3, 0.4])
    with pytest.raises(APIStatusError) as caught:
        openai.chat.completions.create(model=model_of(slot), messages=QUESTION)
    assert (caught.value.status_code, caught.value.code) == (400, "unsupported_parameter")
    with pytest.raises(APIStatusError) as caught:
        openai.chat.completions.create(model=model_of(slot), messages=QUESTION, logit_bias={"1": 1})
    assert caught.value.param == "logit_bias"


def test_claude_answers_through_vertex(rig: Rig, openai: OpenAI) -> None:
    slot = rig.vertex("claude-haiku-4-5@20251001")
    slot.script(
        act.golden_reply("anthropic/messages_response.json"), act.golden_stream("anthropic/stream_text.sse")
    )
    answer = openai.chat.completions.create(model=f"ver/{slot.name}", messages=QUESTION)
    assert answer.choices[0].message.content == ANSWER
    place = "/v1/projects/acme/locations/global/publishers/anthropic/models"
    assert slot.last.path == f"{place}/{slot.name}:rawPredict"
    assert slot.last.header("authorization") == f"Bearer {credential_of('ver')}"
    assert slot.last.json["anthropic_version"] == "vertex-2023-10-16"
    with openai.chat.completions.create(model=f"ver/{slot.name}", messages=QUESTION, stream=True) as stream:
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == ANSWER
    assert slot.last.path == f"{place}/{slot.name}:streamRawPredict"


@pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")
def test_a_video_of_gemini_is_fetched_by_a_second_request(rig: Rig, openai: OpenAI) -> None:
    slot = rig.gemini()
    name = f"models/{slot.name}/operations/op-1"
    sample = {"video": {"uri": f"https://elsewhere.test/v1beta/files/{slot.name}:download?alt=media"}}
    made = {"name": name, "done": True, "response": {"generateVideoResponse": {"generatedSamples": [sample]}}}
    slot.script(
        act.json_reply({"name": name}),
        act.json_reply({"name": name}),
        act.json_reply({"name": name}),
        act.json_reply(made),
        act.reply(b"mp4", kind="video/mp4"),
        act.json_reply(made),
        act.json_reply({"error": {"code": 404, "message": "gone", "status": "NOT_FOUND"}}, 404),
    )
    picture = ("a.png", b"\x89PNG" * 50_000, "image/png")
    video = openai.videos.create(model=model_of(slot), prompt="a cat", seconds="4", input_reference=picture)
    assert len(slot.last.json["instances"][0]["image"]["bytesBase64Encoded"]) > 266_000
    assert openai.videos.retrieve(video.id).status == "in_progress"
    with pytest.raises(BadRequestError, match="not completed"):
        openai.videos.download_content(video.id)
    file = openai.videos.download_content(video.id)
    assert (file.content, file.response.headers["content-type"]) == (b"mp4", "video/mp4")
    with pytest.raises(APIStatusError, match="gone"):
        openai.videos.download_content(video.id)
    asked = [(each.method, each.path) for each in slot.requests]
    file_at = ("GET", f"/download/v1/files/{slot.name}:download?alt=media")
    assert asked[1:] == [("GET", f"/v1/{name}")] * 3 + [file_at, ("GET", f"/v1/{name}"), file_at]
    assert {each.header("x-goog-api-key") for each in slot.requests} == {credential_of("gem")}
