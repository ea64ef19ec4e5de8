"""Veo at Gemini's API: submitted, asked about, and its file fetched by a second request."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from providers import errors as e
from providers.adapter import Adapter, Pointing
from providers.registry import adapter_for
from providers.types import Call, Head, HttpRequest, InBase64, Operation, Secret, Target, Upload, Usage

MODEL = "veo-3.1-generate-preview"
BASE = "https://g.test/v1beta"
NAME = f"models/{MODEL}/operations/abc123"
TARGET = Target("gemini", "gemini", BASE, MODEL, Secret("AIza-secret"))
AT = f"{BASE}/files/f00_b-r:download?alt=media"
MADE: dict[str, Any] = {
    "name": NAME,
    "done": True,
    "response": {
        "@type": "type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningResponse",
        "generateVideoResponse": {"generatedSamples": [{"video": {"uri": AT}}]},
    },
}
FILTERED = {
    "name": NAME,
    "done": True,
    "response": {
        "generateVideoResponse": {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": ["No such scenes."]}
    },
}
FAILED = {"name": NAME, "done": True, "error": {"code": 3, "message": "Too wild."}}
OK = Head(200, {"content-type": "application/json"})


class Held:
    """A small picture."""

    size = 5

    async def pieces(self) -> AsyncIterator[bytes]:
        yield b"bytes"


PICTURE = Upload("input_reference", "a.png", "image/png", Held())


def adapter(operation: Operation) -> Adapter:
    found = adapter_for("gemini", operation)
    assert found is not None
    return found


def call(operation: Operation, **body: Any) -> Call:
    job = "" if operation is Operation.VIDEO else NAME
    return Call(operation, "m", {} if job else {"prompt": "a cat", **body}, "abc", 1795161600, job=job)


def asked(*files: Upload, **body: Any) -> tuple[HttpRequest, Any]:
    request = adapter(Operation.VIDEO).build_request(
        replace(call(Operation.VIDEO, **body), files=files), TARGET
    )
    pieces = (request.body,) if isinstance(request.body, bytes) else request.body
    return request, json.loads(b"".join(p if isinstance(p, bytes) else b"Qg==" for p in pieces))


def pointed(answer: Any, base: str = BASE) -> HttpRequest:
    content = adapter(Operation.VIDEO_CONTENT)
    assert isinstance(content, Pointing)
    target = replace(TARGET, base_url=base)
    return content.next_request(
        call(Operation.VIDEO_CONTENT),
        target,
        OK,
        answer if isinstance(answer, bytes) else json.dumps(answer).encode(),
    )


def test_a_video_is_submitted_with_what_was_asked_for_alone() -> None:
    request, body = asked()
    assert (request.method, request.url) == ("POST", f"{BASE}/models/{MODEL}:predictLongRunning")
    assert dict(request.headers)["x-goog-api-key"] == "AIza-secret"
    # Some of its models refuse even the length that all their videos have.
    assert body == {"instances": [{"prompt": "a cat"}]}
    given = {"negativePrompt": "rain", "sampleCount": 1, "lastFrame": {"mimeType": "image/png"}}
    assert asked(seconds="6", size="3840x2160", webhookConfig={"uris": []}, **given)[1] == {
        "webhookConfig": {"uris": []},
        "instances": [{"prompt": "a cat", "lastFrame": {"mimeType": "image/png"}}],
        "parameters": {
            "sampleCount": 1,
            "durationSeconds": 6,
            "aspectRatio": "16:9",
            "resolution": "4k",
            "negativePrompt": "rain",
        },
    }
    for field, value in (("size", "1024x1024"), ("seconds", "long"), ("sampleCount", 2), ("stream", True)):
        with pytest.raises(e.RequestRejected) as refused:
            asked(**{field: value})
        assert refused.value.param == field
    reply = adapter(Operation.VIDEO).parse_response(
        call(Operation.VIDEO), TARGET, OK, json.dumps({"name": NAME}).encode()
    )
    said = json.loads(reply.body)
    assert (reply.job, reply.usage, said["status"], said["seconds"]) == (
        NAME,
        Usage(video_seconds=8),
        "queued",
        "8",
    )


def test_a_picture_to_begin_with_goes_on_unread() -> None:
    request, body = asked(PICTURE)
    assert isinstance(request.body, tuple)
    assert [part.content for part in request.body if isinstance(part, InBase64)] == [PICTURE.content]
    instance = {"prompt": "a cat", "image": {"mimeType": "image/png", "bytesBase64Encoded": "Qg=="}}
    assert body == {"instances": [instance]}
    assert asked(input_reference={"image_url": "data:image/png;base64,Qg=="})[1] == body
    for files, fields in (
        ((), {"input_reference": {"file_id": "file-1"}}),
        ((), {"input_reference": {"image_url": "https://a.test/a.png"}}),
        ((PICTURE, PICTURE), {}),
        ((replace(PICTURE, name="mask"),), {}),
        ((PICTURE,), {"image": {"bytesBase64Encoded": "Qg=="}}),
    ):
        with pytest.raises(e.RequestRejected):
            asked(*files, **fields)


def test_how_it_fares() -> None:
    request = adapter(Operation.VIDEO_STATUS).build_request(call(Operation.VIDEO_STATUS), TARGET)
    assert (request.method, request.url, request.body) == ("GET", f"{BASE}/{NAME}", b"")
    assert dict(request.headers)["x-goog-api-key"] == "AIza-secret"
    for answer, status in (
        ({"name": NAME}, "in_progress"),
        (MADE, "completed"),
        (FILTERED, "failed"),
        (FAILED, "failed"),
    ):
        reply = adapter(Operation.VIDEO_STATUS).parse_response(
            call(Operation.VIDEO_STATUS), TARGET, OK, json.dumps(answer).encode()
        )
        said = json.loads(reply.body)
        assert (said["status"], reply.usage, b"files/" in reply.body) == (status, Usage(), False)
    assert said["error"]["message"] == "Too wild."


def test_its_file_is_fetched_from_the_api_itself_whatever_the_answer_says() -> None:
    first = adapter(Operation.VIDEO_CONTENT).build_request(call(Operation.VIDEO_CONTENT), TARGET)
    assert first.url == f"{BASE}/{NAME}"
    second = pointed(MADE)
    assert second.url == "https://g.test/download/v1beta/files/f00_b-r:download?alt=media"
    assert dict(second.headers)["x-goog-api-key"] == "AIza-secret"
    samples = MADE["response"]["generateVideoResponse"]["generatedSamples"]
    samples[0]["video"]["uri"] = "https://evil.test/files/f1"
    assert pointed(MADE, "https://p.test/google/v1beta").url.startswith(
        "https://p.test/google/download/v1beta/"
    )
    assert pointed(MADE, "https://p.test").url == "https://p.test/download/files/f1:download?alt=media"
    samples[0]["video"]["uri"] = "https://evil.test/secrets"
    with pytest.raises(e.MalformedResponse):
        pointed(MADE)
    for answer, words in (
        ({"name": NAME}, "not completed"),
        (FILTERED, "No such scenes"),
        (FAILED, "Too wild"),
    ):
        with pytest.raises(e.RequestRejected, match=words):
            pointed(answer)
    with pytest.raises(e.Overloaded):
        pointed({"error": {"code": 503, "status": "UNAVAILABLE"}})
    file = adapter(Operation.VIDEO_CONTENT).open_stream(
        call(Operation.VIDEO_CONTENT), TARGET, Head(200, {"content-type": "video/mp4"})
    )
    (chunk,) = file.feed(b"mp4")
    assert (chunk.data, chunk.media) == (b"mp4", "video/mp4")
