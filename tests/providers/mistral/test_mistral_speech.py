"""Mistral's speech: events with sound in base64, whatever the client is to get."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from providers import errors as e
from providers.registry import adapter_for
from providers.types import Call, Chunk, Delivery, Head, Operation, Usage
from tests.contract import recorded

TARGET = recorded.target("mistral")
ADAPTER = adapter_for("mistral", Operation.SPEECH)
SSE = Head(200, {"content-type": "text/event-stream"})
STREAM = (recorded.GOLDEN / "mistral" / "speech_stream.sse").read_bytes()


def call(**fields: Any) -> Call:
    return Call(Operation.SPEECH, "public", {"model": "public", "input": "Hello", **fields}, "abc")


def sent(**fields: Any) -> Any:
    assert ADAPTER is not None
    request = ADAPTER.build_request(call(**fields), TARGET)
    assert request.url == "https://api.mistral.ai/v1/audio/speech"
    assert isinstance(request.body, bytes)
    assert dict(request.headers)["accept"] == "text/event-stream"
    return json.loads(request.body)


def heard(pieces: Sequence[bytes], **fields: Any) -> list[Chunk]:
    assert ADAPTER is not None
    return recorded.read(ADAPTER.open_stream(call(**fields), TARGET, SSE), list(pieces))


def test_it_is_asked_for_events_always() -> None:
    base = {"model": "some-model", "input": "Hello", "stream": True}
    assert sent() == {**base, "response_format": "mp3"}
    assert sent(voice="en_paul_neutral", response_format="wav", stream_format="sse", speed=1, user="u") == {
        **base,
        "response_format": "wav",
        "voice_id": "en_paul_neutral",
    }
    cloned = sent(voice={"id": "v-1"}, ref_audio="AAAA", metadata={"a": "b"})
    assert (cloned["voice_id"], cloned["ref_audio"], cloned["metadata"]) == ("v-1", "AAAA", {"a": "b"})
    for field, value in (
        ("speed", 1.5),
        ("instructions", "Softly."),
        ("response_format", "aac"),
        ("response_format", "pcm"),
        ("voice", 3),
    ):
        with pytest.raises(e.RequestRejected) as refused:
            sent(**{field: value})
        assert refused.value.param == field


def test_sound_is_taken_out_of_the_events_wherever_they_are_split() -> None:
    for at in range(0, len(STREAM) + 1, 5):
        chunks = heard([STREAM[:at], STREAM[at:].replace(b"\n", b"\r\n")], response_format="flac")
        assert b"".join(chunk.data for chunk in chunks) == b"ID3 some sound"
        assert chunks[0].media == "audio/flac"
        assert chunks[-1].usage == Usage(input_tokens=12, output_tokens=34, characters=5)


def test_events_are_told_as_openai_tells_them() -> None:
    assert call(stream_format="sse").delivery is Delivery.FRAMES
    told = b"".join(chunk.data for chunk in heard([STREAM], stream_format="sse"))
    *deltas, done = [json.loads(line[6:]) for line in told.splitlines() if line.startswith(b"data: ")]
    assert [each["audio"] for each in deltas] == ["SUQzIHNv", "bWUgc291bmQ="]
    assert {each["type"] for each in deltas} == {"speech.audio.delta"}
    tokens = {"input_tokens": 12, "output_tokens": 34, "total_tokens": 46}
    assert done == {"type": "speech.audio.done", "usage": tokens}
    assert told.count(b"event: speech.audio.delta\n") == 2


def test_what_breaks_off_or_is_no_sound_is_an_error() -> None:
    for pieces, kind in (
        ([STREAM[: STREAM.index(b"event: speech.audio.done")]], e.StreamTruncated),
        ([b'data: {"type":"speech.audio.delta"}\n\n'], e.MalformedResponse),
        ([b'data: {"object":"error","message":"no","code":3505,"type":"service_tier_capacity_exceeded"}\n\n'], e.UpstreamError),
        ([b'{"detail":"no"}'], e.UpstreamError),
    ):  # fmt: skip
        for fields in ({}, {"stream_format": "sse"}):
            with pytest.raises(kind):
                heard(pieces, **fields)
    with pytest.raises(e.MalformedResponse, match="base64"):
        heard([b'data: {"type":"speech.audio.delta","audio_data":"%"}\n\n'])
