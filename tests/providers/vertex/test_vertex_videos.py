"""Veo: submitted, asked about, fetched."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers import errors as e
from providers.registry import adapter_for
from providers.types import Call, Head, Operation, Reply, Secret, Target, Usage

MODEL = "veo-3.0-generate-001"
PLACE = f"projects/p/locations/us-central1/publishers/google/models/{MODEL}"
NAME = f"{PLACE}/operations/1-2"
OPTIONS = {"project": "p", "location": "us-central1"}
TARGET = Target("vertex", "vertex", "https://v.test/v1", MODEL, Secret("ya29.secret"), options=OPTIONS)
MADE = {"name": NAME, "done": True, "response": {"videos": [{"bytesBase64Encoded": "QUJD"}]}}
STORED = {"name": NAME, "done": True, "response": {"videos": [{"gcsUri": "gs://b/v.mp4"}]}}
FILTERED = {"name": NAME, "done": True, "response": {"raiMediaFilteredReasons": ["No such scenes."]}}
FAILED = {"name": NAME, "done": True, "error": {"code": 3, "message": "Too wild."}}
OK = Head(200, {})


def call(operation: Operation, **body: Any) -> Call:
    job = "" if operation is Operation.VIDEO else NAME
    return Call(operation, "m", {} if job else {"prompt": "a cat", **body}, "abc", 1795161600, job=job)


def asked(operation: Operation, **body: Any) -> tuple[str, Any]:
    adapter = adapter_for("vertex", operation)
    assert adapter is not None
    request = adapter.build_request(call(operation, **body), TARGET)
    assert isinstance(request.body, bytes)
    return request.url, json.loads(request.body)


def read(operation: Operation, answer: Any, **body: Any) -> tuple[Any, Reply]:
    adapter = adapter_for("vertex", operation)
    assert adapter is not None
    reply = adapter.parse_response(call(operation, **body), TARGET, OK, json.dumps(answer).encode())
    return json.loads(reply.body), reply


def fetched(answer: Any) -> Any:
    adapter = adapter_for("vertex", Operation.VIDEO_CONTENT)
    assert adapter is not None
    decoder = adapter.open_stream(call(Operation.VIDEO_CONTENT), TARGET, OK)
    data = json.dumps(answer).encode()
    return [*decoder.feed(data[:9]), *decoder.feed(data[9:]), *decoder.close()]


def test_a_video_is_submitted() -> None:
    url, body = asked(Operation.VIDEO, seconds="6", size="1080x1920", seed=1)
    assert url == f"https://v.test/v1/{PLACE}:predictLongRunning"
    assert body == {
        "instances": [{"prompt": "a cat"}],
        "parameters": {
            "sampleCount": 1,
            "durationSeconds": 6,
            "aspectRatio": "9:16",
            "resolution": "1080p",
            "seed": 1,
        },
    }
    assert asked(Operation.VIDEO)[1]["parameters"] == {"sampleCount": 1, "durationSeconds": 8}
    placed = asked(
        Operation.VIDEO, labels={"team": "a"}, image={"gcsUri": "gs://b/a.png"}, generateAudio=False
    )[1]
    assert placed["labels"] == {"team": "a"}
    assert placed["instances"] == [{"prompt": "a cat", "image": {"gcsUri": "gs://b/a.png"}}]
    assert placed["parameters"]["generateAudio"] is False
    said, reply = read(Operation.VIDEO, {"name": NAME}, seconds="6")
    assert (reply.job, reply.usage) == (NAME, Usage(video_seconds=6))
    assert (said["object"], said["status"], said["seconds"], said["model"]) == ("video", "queued", "6", MODEL)
    for field, value in (
        ("size", "1024x1024"),
        ("seconds", "long"),
        ("input_reference", {}),
        ("sampleCount", 2),
    ):
        with pytest.raises(e.RequestRejected) as refused:
            asked(Operation.VIDEO, **{field: value})
        assert refused.value.param == field


def test_how_it_fares() -> None:
    about = (f"https://v.test/v1/{PLACE}:fetchPredictOperation", {"operationName": NAME})
    assert asked(Operation.VIDEO_STATUS) == asked(Operation.VIDEO_CONTENT) == about
    for answer, status, progress in (
        ({"name": NAME}, "in_progress", 0),
        (MADE, "completed", 100),
        (STORED, "completed", 100),
        (FILTERED, "failed", 0),
        (FAILED, "failed", 0),
    ):
        said, reply = read(Operation.VIDEO_STATUS, answer)
        assert (said["status"], said["progress"], reply.usage) == (status, progress, Usage())
    assert b"QUJD" not in read(Operation.VIDEO_STATUS, MADE)[1].body
    assert read(Operation.VIDEO_STATUS, STORED)[0]["video"] == {"url": "gs://b/v.mp4"}
    assert read(Operation.VIDEO_STATUS, FILTERED)[0]["error"]["message"] == "No such scenes."
    with pytest.raises(e.Overloaded):
        read(Operation.VIDEO_STATUS, {"error": {"code": 503, "status": "UNAVAILABLE"}})


def test_its_file() -> None:
    (chunk,) = fetched(MADE)
    assert (chunk.data, chunk.media) == (b"ABC", "video/mp4")
    for answer, words in (
        ({"name": NAME}, "not completed"),
        (STORED, "gs://b/v.mp4"),
        (FILTERED, "No such scenes"),
        (FAILED, "Too wild"),
    ):
        with pytest.raises(e.RequestRejected, match=words):
            fetched(answer)
    for broken in ("", "Q", "%%"):
        with pytest.raises(e.MalformedResponse):
            fetched({"done": True, "response": {"videos": [{"bytesBase64Encoded": broken}]}})
