"""Sound on its way to Cohere, and what comes back."""

from __future__ import annotations

from typing import Any

import pytest

from providers.cohere import transcription
from providers.errors import CredentialRejected, MalformedResponse, RequestRejected, UnsupportedParameter
from providers.types import Call, Head, Operation, Secret, Target, Upload
from tests.providers.fields_asked import HELD


def target(model: str = "any") -> Target:
    return Target("cohere", "cohere", "https://api.cohere.com", model, credential=Secret("co-secret"))


def hearing(**fields: Any) -> Call:
    sound = Upload("file", "a.mp3", "audio/mpeg", HELD)
    return Call(Operation.TRANSCRIPTION, "c", {"model": "c", **fields}, "abc", files=(sound,))


def test_sound_goes_to_cohere_as_a_form_with_its_language() -> None:
    asked = {"language": "en", "temperature": "0.2", "response_format": "json", "stream": False}
    made = transcription.build_request(hearing(**asked), target(model="cohere-transcribe"))
    assert made.url == "https://api.cohere.com/v2/audio/transcriptions"
    assert dict(made.headers)["authorization"] == "Bearer co-secret"
    assert isinstance(made.body, tuple)
    assert HELD in made.body
    text = b"".join(piece for piece in made.body if isinstance(piece, bytes)).decode()
    for name, value in (("model", "cohere-transcribe"), ("language", "en"), ("temperature", "0.2")):
        assert f'name="{name}"\r\n\r\n{value}\r\n' in text
    assert "response_format" not in text
    for name, value in (
        *(("language", None), ("prompt", "Names"), ("response_format", "srt"), ("stream", True)),
        *(("timestamp_granularities", ["word"]), ("include", ["logprobs"])),
    ):
        with pytest.raises(UnsupportedParameter, match=f"cohere/.*{name}") as caught:
            transcription.build_request(hearing(**{**asked, name: value}), target())
        assert caught.value.param == name


def test_what_cohere_has_heard_comes_as_it_was_asked_for() -> None:
    head, heard = Head(200, {"content-type": "application/json"}), b'{"text":"Hello."}'
    reply = transcription.parse_response(hearing(), target(), head, heard)
    assert (reply.body, reply.media, reply.usage) == (heard, "application/json", None)
    reply = transcription.parse_response(hearing(response_format="text"), target(), head, heard)
    assert (reply.body, reply.media) == (b"Hello.", "text/plain; charset=utf-8")
    for body in (b"", b"[]", b"{}", b'{"text":5}', b"Hello"):
        with pytest.raises(MalformedResponse):
            transcription.parse_response(hearing(), target(), head, body)
    refused = transcription.parse_error(Head(401, {}), b'{"id":"x","message":"invalid api token"}', 0)
    assert type(refused) is CredentialRejected
    with pytest.raises(RequestRejected, match="stream"):
        transcription.open_stream(hearing(), target(), head)
