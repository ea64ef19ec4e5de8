"""The official Python client, asking for pictures, sound, videos and judgements, of echo and of a scripted provider."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import httpx2
import openai as sdk
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.harness.actions import EVENT_STREAM, chunk, golden, golden_reply, head, json_reply, reply, reset
from tests.harness.gateway import KEY, LIMITED_KEY
from tests.harness.rig import Rig, credential_of, model_of, provider_of

pytestmark = pytest.mark.filterwarnings(
    "ignore:The Sora API:DeprecationWarning"  # OpenAI's own videos have ended; their shape lives on
)
MODEL = "echo/any"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def web(rig: Rig) -> Iterator[httpx2.Client]:
    """Give a client for what the SDK does not do. Without TLS, whose setting up takes long."""
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx2.Client(base_url=rig.gateway.base_url, headers=headers, verify=False) as client:
        yield client


def named(content: bytes, name: str) -> io.BytesIO:
    file = io.BytesIO(content)
    file.name = name
    return file


def test_pictures_of_echo(openai: OpenAI) -> None:
    made = openai.images.generate(model=MODEL, prompt="a cat", n=2)
    assert made.data is not None
    assert [base64.b64decode(image.b64_json or "")[:8] for image in made.data] == [PNG, PNG]
    edited = openai.images.edit(model=MODEL, prompt="a hat", image=[named(PNG, "a.png"), named(PNG, "b.png")])
    assert edited.data is not None
    assert edited.usage is not None
    for stream in (
        openai.images.generate(model=MODEL, prompt="a cat", stream=True, partial_images=2),
        openai.images.edit(model=MODEL, prompt="x", image=named(PNG, "a.png"), stream=True, partial_images=2),
    ):
        kinds = [event.type.partition(".")[2] for event in stream]
        assert kinds == ["partial_image", "partial_image", "completed"]


def test_sound_of_echo(openai: OpenAI, web: httpx2.Client) -> None:
    spoken = openai.audio.speech.create(model=MODEL, voice="alloy", input="Hello there.")
    assert spoken.content[:4] == b"RIFF"
    assert len(spoken.content) == 44 + 12 * 80
    assert spoken.response.headers["content-type"] == "audio/wav"
    with openai.audio.speech.with_streaming_response.create(
        model=MODEL, voice="alloy", input="Hi.", stream_format="sse"
    ) as events:
        assert "speech.audio.done" in events.read().decode()
    file = named(b"\0" * 5000, "voice.mp3")
    heard = openai.audio.transcriptions.create(model=MODEL, file=file)
    assert heard.text.endswith("bytes of voice.mp3")
    assert int(heard.text.split()[0]) > 5000
    text = web.post(
        "/audio/translations",
        data={"model": MODEL, "response_format": "srt"},
        files={"file": ("voice.mp3", b"x")},
    )
    assert text.text.startswith("1\n00:00:00")
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    verbose = openai.audio.transcriptions.create(
        model=MODEL, file=file, response_format="verbose_json", timestamp_granularities=["segment"]
    )
    assert verbose.duration == 1.0
    stream = openai.audio.transcriptions.create(model=MODEL, file=file, stream=True)
    assert [event.type for event in stream][-1] == "transcript.text.done"


def test_moderation_of_echo(openai: OpenAI) -> None:
    fine, flagged = openai.moderations.create(model=MODEL, input=["a walk", "pure hate"]).results
    assert (fine.flagged, flagged.flagged) == (False, True)
    assert flagged.categories.hate


def test_a_video_of_echo_is_its_owners_alone(openai: OpenAI, web: httpx2.Client) -> None:
    video = openai.videos.create(model=MODEL, prompt="a cat", seconds="4")
    assert (video.status, video.seconds) == ("completed", "4")
    assert openai.videos.retrieve(video.id).id == video.id
    assert openai.videos.download_content(video.id).content.startswith(b"the video")
    url = f"/videos/{video.id}"
    for key, path, status in (
        (LIMITED_KEY, url, 404),
        (KEY, url[:-4] + "AAAA", 404),
        (KEY, "/v1/videos/video_x", 404),
        (KEY, "/v1/videos", 405),
    ):
        answer = web.get(path, headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == status, answer.text
    assert openai.videos.delete(video.id).deleted


def test_rerank_as_cohere_has_it(web: httpx2.Client) -> None:
    asked = {
        "model": MODEL,
        "query": "red house",
        "documents": ["a boat", "the red house", "red"],
        "top_n": 2,
    }
    for path in ("/v1/rerank", "/v2/rerank", "/rerank"):
        answer = web.post(path, json=asked)
        assert answer.status_code == 200, answer.text
        assert [result["index"] for result in answer.json()["results"]] == [1, 2]
        assert answer.json()["meta"]["billed_units"] == {"search_units": 1}


def test_a_form_comes_to_the_provider_as_it_was(openai: OpenAI, rig: Rig) -> None:
    slot = rig.plain()
    slot.script(golden_reply("openai/transcription_response.json"))
    sound = bytes(range(256)) * 3000
    heard = openai.audio.transcriptions.create(
        model=model_of(slot),
        file=('sp"eech.mp3', sound, "audio/mpeg"),
        temperature=0.5,
        timestamp_granularities=["word", "segment"],
        extra_body={"chunking_strategy": "auto"},
    )
    assert heard.text == "Hello world."
    sent = slot.last
    assert sent.path == "/v1/audio/transcriptions"
    assert sent.header("authorization") == f"Bearer {credential_of(provider_of(slot))}"
    assert sound in sent.body
    assert b'filename="sp%22eech.mp3"\r\ncontent-type: audio/mpeg' in sent.body
    assert sent.field("temperature") == "0.5"
    assert sent.field("chunking_strategy") == "auto"
    assert sent.body.count(b'name="timestamp_granularities[]"') == 2
    assert sent.header("content-length") == str(len(sent.body))


async def test_sound_comes_while_it_is_made_and_a_break_is_seen(async_openai: AsyncOpenAI, rig: Rig) -> None:
    slot = rig.exact()
    began = [head(200, {"content-type": "audio/mpeg", "transfer-encoding": "chunked"}), chunk(b"first")]
    slot.script([*began, chunk(b"second"), chunk(b"")], [*began, reset])
    speak = async_openai.audio.speech.with_streaming_response.create
    async with speak(model=model_of(slot), voice="v", input="Hello") as spoken:
        assert spoken.headers["content-type"] == "audio/mpeg"
        assert spoken.headers["x-switchgear-provider"] == "exact"
        assert b"".join([piece async for piece in spoken.iter_bytes()]) == b"firstsecond"
    assert slot.last.json == {"model": slot.name, "voice": "v", "input": "Hello"}
    with pytest.raises(httpx2.HTTPError):
        async with speak(model=model_of(slot), voice="v", input="Hello") as spoken:
            await spoken.read()


def test_streams_are_passed_on_event_by_event(rig: Rig, web: httpx2.Client) -> None:
    slot = rig.exact()
    for name, ask in (
        ("openai/images_stream.sse", {"path": "images/generations", "prompt": "x"}),
        ("openai/transcription_stream.sse", {"path": "audio/transcriptions"}),
    ):
        slot.script(reply(golden(name), kind=EVENT_STREAM))
        fields = {"model": model_of(slot), "stream": "true", **ask}
        path = fields.pop("path")
        form: dict[str, Any] = {"data": fields, "files": {"file": ("a.mp3", b"x")}}
        body: dict[str, Any] = form if "audio" in path else {"json": {**fields, "stream": True}}
        answer = web.post(f"/v1/{path}", **body)
        assert answer.content.strip() == golden(name).strip(), name


def test_what_comes_whole_in_place_of_a_stream_is_told_as_its_last_events(openai: OpenAI, rig: Rig) -> None:
    """As models answer that have nothing to stream: it is paid for."""
    slot, plain = rig.openrouter(), rig.plain()
    slot.script(golden_reply("openai/images_response.json"), json_reply({"error": {"message": "no"}}))
    (event,) = openai.images.generate(model=model_of(slot), prompt="x", stream=True)
    assert event.type == "image_generation.completed"
    assert event.b64_json
    assert event.usage.output_tokens == 272
    with pytest.raises(sdk.APIError):
        list(openai.images.generate(model=model_of(slot), prompt="x", stream=True))
    plain.script(golden_reply("openai/transcription_response.json"))
    heard = openai.audio.transcriptions.create(model=model_of(plain), file=named(b"x", "a.mp3"), stream=True)
    assert [(each.type, getattr(each, "text", None)) for each in heard] == [
        ("transcript.text.done", "Hello world.")
    ]
    plain.script(json_reply({"text": 5}))
    with pytest.raises(sdk.APIError):
        openai.audio.speech.create(model=model_of(plain), voice="v", input="x", stream_format="sse")


def test_a_video_goes_back_to_its_provider_and_credential(openai: OpenAI, rig: Rig) -> None:
    slot = rig.exact()
    told = {"id": slot.name, "object": "video", "status": "queued", "model": "sora-2", "created_at": 1}
    slot.script(
        json_reply(told),
        json_reply({**told, "status": "failed", "error": {"code": "x", "message": "no"}}),
        reply(b"mp4", kind="video/mp4"),
        json_reply({"error": {"message": "gone", "code": "not_found"}}, 404),
    )
    video = openai.videos.create(model=model_of(slot), prompt="a cat")
    assert video.id != slot.name
    assert openai.videos.retrieve(video.id).status == "failed"
    assert openai.videos.download_content(video.id, variant="thumbnail").content == b"mp4"
    assert [(each.method, each.path) for each in slot.requests] == [
        ("POST", "/v1/videos"),
        ("GET", f"/v1/videos/{slot.name}"),
        ("GET", f"/v1/videos/{slot.name}/content?variant=thumbnail"),
    ]
    with pytest.raises(sdk.NotFoundError):
        openai.videos.delete(video.id)


def test_a_video_made_by_way_of_chat_is_known_by_its_name(openai: OpenAI, rig: Rig) -> None:
    slot = rig.blackbox()
    slot.script(golden_reply("blackbox/chat_response_image.json"))
    video = openai.videos.create(model=model_of(slot), prompt="a cat")
    again = openai.videos.retrieve(video.id)
    assert again == video
    assert (again.status, again.model_extra) == (
        "completed",
        {"video": {"url": "https://replicate.delivery/xezq/abc/tmp.webp"}},
    )
    assert len(slot.requests) == 1
    with pytest.raises(sdk.BadRequestError) as caught:
        openai.videos.download_content(video.id)
    assert caught.value.code == "unsupported_operation"


def test_speech_of_mistral_comes_as_sound_and_as_events(openai: OpenAI, rig: Rig) -> None:
    slot = rig.mistral()
    slot.script(reply(golden("mistral/speech_stream.sse"), kind=EVENT_STREAM))
    spoken = openai.audio.speech.create(model=model_of(slot), voice="en_paul_neutral", input="Hello")
    assert spoken.content == b"ID3 some sound"
    assert spoken.response.headers["content-type"] == "audio/mpeg"
    told = openai.audio.speech.create(model=model_of(slot), voice="v", input="Hello", stream_format="sse")
    assert b'"audio":"SUQzIHNv"' in told.content
    assert slot.last.path == "/v1/audio/speech"
    assert (slot.last.json["voice_id"], slot.last.json["stream"]) == ("v", True)


def test_a_video_of_openrouter_is_made_of_a_picture_and_fetched(openai: OpenAI, rig: Rig) -> None:
    slot = rig.openrouter()
    begun = {"id": slot.name, "polling_url": f"/api/v1/videos/{slot.name}", "status": "pending"}
    slot.script(
        json_reply(begun, 202), json_reply({**begun, "status": "completed"}), reply(b"mp4", kind="video/mp4")
    )
    picture = ("a.png", PNG * 9_000, "image/png")
    video = openai.videos.create(model=model_of(slot), prompt="a cat", seconds="8", input_reference=picture)
    (frame,) = slot.last.json["frame_images"]
    assert frame["image_url"]["url"] == "data:image/png;base64," + base64.b64encode(PNG * 9_000).decode()
    assert (slot.last.json["duration"], video.status) == (8, "queued")
    assert openai.videos.retrieve(video.id).status == "completed"
    assert openai.videos.download_content(video.id).content == b"mp4"
    assert slot.last.path == f"/v1/videos/{slot.name}/content"


def test_what_a_provider_lacks_and_what_a_form_lacks(openai: OpenAI, rig: Rig, web: httpx2.Client) -> None:
    with pytest.raises(
        sdk.BadRequestError, match="Providers here that serve image_generation: .*echo"
    ) as caught:
        openai.images.generate(model=model_of(rig.anthropic()), prompt="x")
    assert caught.value.code == "unsupported_operation"
    broken = {"content-type": "multipart/form-data; boundary=x"}
    for options, status, code in (
        ({"data": {"model": MODEL}, "files": {"other": b"x"}}, 400, "missing_required_parameter"),
        ({"files": {"file": b"x"}}, 400, "missing_required_parameter"),
        ({"json": {"model": MODEL}}, 415, "unsupported_media_type"),
        ({"content": b"--x\r\nhello", "headers": broken}, 400, "invalid_form"),
        ({"content": b"--x\r\n\r\n\r\n--x--", "headers": broken}, 400, "invalid_form"),
        ({"data": {"model": MODEL, "api_base": "x"}, "files": {"file": b"x"}}, 400, "field_not_allowed"),
        ({"data": {"model": "x" * (2 << 20)}, "files": {"file": b"x"}}, 413, "request_too_large"),
    ):
        answer = web.post("/v1/audio/transcriptions", **options)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text


def test_errors_of_a_provider_are_told_and_a_form_is_sent_again(openai: OpenAI, rig: Rig) -> None:
    pair = rig.pair()
    pair.first.script(json_reply({"error": {"message": "down"}}, 500))
    pair.second.script(golden_reply("openai/transcription_response.json"))
    sound = b"s" * 700_000
    heard = openai.audio.transcriptions.with_raw_response.create(model=pair.model, file=("a.wav", sound))
    assert heard.headers["x-switchgear-attempts"] == "2"
    assert sound in pair.first.last.body
    assert sound in pair.second.last.body
    slot = rig.exact()
    slot.script(golden_reply("openai/error_400_unknown_parameter.json", 400))
    with pytest.raises(sdk.BadRequestError):
        openai.audio.speech.create(model=model_of(slot), voice="v", input="x")
