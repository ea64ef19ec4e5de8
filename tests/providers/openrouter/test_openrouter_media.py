"""OpenRouter's pictures, videos and sound: its fields and answers as its public description has them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from providers import errors as e
from providers.adapter import Adapter
from providers.registry import adapter_for
from providers.types import Call, Head, HttpRequest, InBase64, Operation, Reply, Upload, Usage
from tests.contract import recorded

TARGET = recorded.target("openrouter")
JSON_HEAD = Head(200, {"content-type": "application/json"})
AT = "https://openrouter.ai/api/v1"


class Held:
    """A small file."""

    size = 5

    async def pieces(self) -> AsyncIterator[bytes]:
        yield b"bytes"


def file(name: str) -> Upload:
    return Upload(name, "a.png", "image/png", Held())


def adapter(operation: Operation) -> Adapter:
    found = adapter_for("openrouter", operation)
    assert found is not None
    return found


def built(operation: Operation, *files: Upload, job: str = "", **fields: Any) -> HttpRequest:
    return adapter(operation).build_request(Call(operation, "m", fields, "abc", files=files, job=job), TARGET)


def sent(operation: Operation, *files: Upload, **fields: Any) -> Any:
    body = built(operation, *files, **fields).body
    pieces = (body,) if isinstance(body, bytes) else body
    assert all(isinstance(piece, bytes | InBase64) for piece in pieces)
    return json.loads(b"".join(piece if isinstance(piece, bytes) else b"Qg==" for piece in pieces))


def read(operation: Operation, answer: Any, job: str = "", **fields: Any) -> tuple[Any, Reply]:
    asked = Call(operation, "m", fields, "abc", 1795161600, job=job)
    reply = adapter(operation).parse_response(asked, TARGET, JSON_HEAD, json.dumps(answer).encode())
    return json.loads(reply.body), reply


def refused(operation: Operation, *files: Upload, **fields: Any) -> str | None:
    with pytest.raises(e.UnsupportedParameter) as caught:
        built(operation, *files, **fields)
    return caught.value.param


def test_images() -> None:
    make = Operation.IMAGE_GENERATION
    assert built(make, prompt="a cat").url == f"{AT}/images"
    own = {"size": "2048x2048", "n": 2, "quality": "high", "resolution": "2K", "seed": 1}
    neutral = {"response_format": "b64_json", "user": "u", "moderation": "auto", "style": None}
    assert sent(make, prompt="a cat", **own, **neutral) == {"model": "some-model", "prompt": "a cat", **own}
    for name, value in (
        ("response_format", "url"),
        ("style", "vivid"),
        ("moderation", "low"),
        ("partial_images", 2),
    ):
        assert refused(make, prompt="x", **{name: value}) == name
    dropping = replace(TARGET, drop=frozenset({"style"}))
    adapter(make).build_request(Call(make, "m", {"prompt": "x", "style": "vivid"}, "abc"), dropping)
    counted = {"prompt_tokens": 5, "completion_tokens": 4175, "total_tokens": 4180, "cost": 0.04}
    counted["completion_tokens_details"] = {"image_tokens": 4000}  # type: ignore[assignment] - as it stands there
    picture = {"b64_json": "QUJD", "media_type": "image/png"}
    body, reply = read(make, {"created": 1748372400, "data": [picture], "usage": counted})
    assert body["data"] == [picture]
    assert (body["usage"]["input_tokens"], body["usage"]["output_tokens"], body["usage"]["cost"]) == (
        5,
        4175,
        0.04,
    )
    assert reply.usage == Usage(input_tokens=5, output_tokens=4175, image_output_tokens=4000, images=1)
    assert read(make, {"created": 1, "data": [picture]})[1].usage == Usage(images=1)


def test_images_are_edited_by_reference() -> None:
    edit = Operation.IMAGE_EDIT
    data = {"type": "image_url", "image_url": {"url": "data:image/png;base64,Qg=="}}
    body = sent(edit, file("image[]"), file("image[]"), prompt="a hat", n="2", user="u")
    assert body == {"model": "some-model", "prompt": "a hat", "n": 2, "input_references": [data, data]}
    assert built(edit, file("image"), prompt="x").url == f"{AT}/images"
    link = {"type": "image_url", "image_url": {"url": "https://a.test/a.png"}}
    assert sent(edit, prompt="x", images=[{"image_url": "https://a.test/a.png"}])["input_references"] == [
        link
    ]
    assert refused(edit, file("image"), file("mask"), prompt="x") == "mask"
    assert refused(edit, file("image"), prompt="x", stream="true") == "stream"
    assert refused(edit, file("image"), prompt="x", input_fidelity="high") == "input_fidelity"
    assert refused(edit, prompt="x", images=[{"file_id": "f"}]) == "images"
    assert refused(edit, prompt="x") == "image"


def test_videos() -> None:
    video = Operation.VIDEO
    assert sent(video, prompt="a cat", seconds="8", size="1280x720", generate_audio=True) == {
        "model": "some-model",
        "prompt": "a cat",
        "duration": 8,
        "size": "1280x720",
        "generate_audio": True,
    }
    data = {"url": "data:image/png;base64,Qg=="}
    frame = {"type": "image_url", "frame_type": "first_frame", "image_url": data}
    assert sent(video, file("input_reference"), prompt="x")["frame_images"] == [frame]
    assert sent(video, prompt="x", input_reference={"image_url": data["url"]})["frame_images"] == [frame]
    for files in ((file("other"),), (file("input_reference"),) * 2):
        assert refused(video, *files, prompt="x") == "input_reference"
    assert refused(video, prompt="x", input_reference={"file_id": "f"}) == "input_reference"
    for wrong in ("long", 0, 1.5, []):
        with pytest.raises(e.RequestRejected, match="seconds"):
            built(video, prompt="x", seconds=wrong)
    begun = {"id": "job-1", "polling_url": "/api/v1/videos/job-1", "status": "pending"}
    body, reply = read(video, begun, seconds="8")
    assert (body["status"], reply.job, reply.usage) == ("queued", "job-1", Usage(video_seconds=8))
    for status, said in (("in_progress", "in_progress"), ("completed", "completed"), ("expired", "failed")):
        assert read(Operation.VIDEO_STATUS, {**begun, "status": status}, "job-1")[0]["status"] == said
    failed = {**begun, "status": "failed", "error": "Too wild."}
    told = {"code": "video_generation_failed", "message": "Too wild."}
    assert read(Operation.VIDEO_STATUS, failed, "job-1")[0]["error"] == told
    content = built(Operation.VIDEO_CONTENT, job="job-1", variant="video", index="0")
    assert (content.method, content.url) == ("GET", f"{AT}/videos/job-1/content?index=0")
    with pytest.raises(e.UnsupportedParameter, match="variant"):
        built(Operation.VIDEO_CONTENT, job="job-1", variant="thumbnail")


def test_sound() -> None:
    speak, hear = Operation.SPEECH, Operation.TRANSCRIPTION
    assert sent(speak, input="Hi", voice="alloy", speed=1.5, stream_format="audio") == {
        "model": "some-model",
        "input": "Hi",
        "voice": "alloy",
        "speed": 1.5,
        "response_format": "mp3",
    }
    assert refused(speak, input="Hi", stream_format="sse") == "stream_format"
    assert refused(speak, input="Hi", instructions="Softly.") == "instructions"
    sound = Upload("file", "a.mp3", "audio/mpeg", Held())
    request = built(hear, sound, language="en", timestamp_granularities=["word"], stream="false", prompt="")
    assert request.url == f"{AT}/audio/transcriptions"
    text = b"".join(piece for piece in request.body if isinstance(piece, bytes))  # type: ignore[union-attr] - a form
    assert b'name="timestamp_granularities[]"\r\n\r\nword' in text
    assert b'name="stream"' not in text
    assert b'name="prompt"' not in text
    for name, value in (
        ("prompt", "Names"),
        ("include", ["logprobs"]),
        ("stream", "true"),
        ("response_format", "srt"),
    ):
        assert refused(hear, sound, **{name: value}) == name
    usage = {"cost": 0.0005, "seconds": 9.2}
    assert read(hear, {"text": "Hello", "usage": usage})[1].usage == Usage(audio_seconds=9.2)
