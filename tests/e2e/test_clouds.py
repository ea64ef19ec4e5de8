"""The official Python client with models at Azure and Bedrock."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openai import APIError, OpenAI

from tests.harness import actions as act
from tests.harness.lanes import ANSWER
from tests.harness.rig import ONE_TRY, Rig, config_for, credential_of, model_of, start_gateway
from tests.harness.secrets import Secrets, canary
from tests.harness.upstream import Received, Upstream

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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # the SDK's translations are
def test_pictures_and_sound_of_azures_deployments(rig: Rig, openai: OpenAI) -> None:
    """Each operation is at its deployment, with the key and the version; files and sound travel both ways."""
    slot = rig.azure()
    model, sound, picture = model_of(slot), ("a.mp3", bytes(range(256)) * 300), ("a.png", b"\x89PNG" * 9)
    events = b'event: speech.audio.done\ndata: {"type":"speech.audio.done","usage":{"input_tokens":3}}\n\n'
    images = act.golden_reply("openai/images_response.json")
    slot.script(
        act.golden_reply("openai/transcription_response.json"),
        act.reply(act.golden("openai/transcription_stream.sse"), kind="text/event-stream"),
        act.golden_reply("openai/transcription_verbose_whisper.json"),
        act.reply(b"sound", kind="audio/mpeg"),
        act.reply(events, kind="text/event-stream"),
        images,
        act.reply(act.golden("openai/images_stream.sse"), kind="text/event-stream"),
        images,
        act.golden_reply("azure/error_400_content_filter.json", 400),
    )
    assert openai.audio.transcriptions.create(model=model, file=sound).text == "Hello world."
    heard = openai.audio.transcriptions.create(model=model, file=sound, stream=True)
    assert [event.type for event in heard][-1] == "transcript.text.done"
    assert openai.audio.translations.create(model=model, file=sound).text
    assert openai.audio.speech.create(model=model, voice="alloy", input="Hi").content == b"sound"
    as_events = openai.audio.speech.create(model=model, voice="alloy", input="Hi", stream_format="sse")
    assert b"speech.audio.done" in as_events.content
    made = openai.images.generate(model=model, prompt="a cat")
    assert made.data
    stream = openai.images.generate(model=model, prompt="a cat", stream=True, partial_images=1)
    assert [event.type for event in stream][-1] == "image_generation.completed"
    assert openai.images.edit(model=model, prompt="a hat", image=picture).data
    with pytest.raises(APIError) as caught:
        openai.images.generate(model=model, prompt="x")
    assert caught.value.code == "content_filter"
    paths = (
        *["audio/transcriptions"] * 2,
        "audio/translations",
        *["audio/speech"] * 2,
        *["images/generations"] * 2,
        "images/edits",
        "images/generations",
    )
    place = f"/openai/deployments/{slot.name}"
    assert [each.path for each in slot.requests] == [
        f"{place}/{path}?api-version=2024-10-21" for path in paths
    ]
    assert {(each.header("api-key"), each.header("authorization")) for each in slot.requests} == {
        (credential_of("azr"), None)
    }
    assert [sound[1] in each.body for each in slot.requests[:3]] == [True] * 3
    assert picture[1] in slot.requests[7].body


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["auto", "httpx2"])
def test_bedrock_with_signatures(
    tmp_path: Path, secrets: Secrets, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    credentials = pytest.importorskip("botocore.credentials")
    from app.auth.upstream.aws import signing
    from providers.types import HttpRequest

    model, secret = (
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        secrets.plant(canary("AWS_SECRET_ACCESS_KEY")),
    )
    with Upstream() as upstream:

        def expected(received: Received) -> str:
            """Sign what has arrived, as it arrived."""
            stamp = datetime.strptime(received.header("x-amz-date") or "", "%Y%m%dT%H%M%SZ").replace(
                tzinfo=UTC
            )
            monkeypatch.setattr("botocore.auth.get_current_datetime", lambda **_: stamp)
            headers = tuple((name, value) for name, value in received.headers if name == "content-type")
            request = HttpRequest(received.method, upstream.url + received.path, headers, received.body)
            sign = signing(credentials.Credentials("AKIDEXAMPLE", secret), "bedrock", "eu-west-1")
            return dict(sign(request).headers)["authorization"]

        stream = act.reply(act.golden("bedrock/converse_stream_text.eventstream.bin"), kind=FRAMES)
        slot = upstream.slot(model)
        slot.script(act.golden_reply("bedrock/converse_response.json"), stream)
        bedrock = {
            "base_url": upstream.url,
            "allow_private": True,
            "auth": "aws",
            "pool": {"transport": transport},
            **ONE_TRY,
        }
        config = config_for({"bedrock": {**bedrock, "options": {"region": "eu-west-1"}}}, {})
        env = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": secret}
        with start_gateway(tmp_path / "gateway", secrets, config, env=env) as gateway:
            answer = gateway.chat(f"bedrock/{model}")
            assert answer.status == 200
            assert answer.json["choices"][0]["message"]["content"] == ANSWER
            streamed = gateway.chat(f"bedrock/{model}", stream=True)
            assert b"[DONE]" in streamed.body
        assert [each.path.rpartition("/")[2] for each in slot.requests] == ["converse", "converse-stream"]
        for received in slot.requests:
            assert "-v1%3A0/" in received.path
            assert received.header("authorization") == expected(received)
