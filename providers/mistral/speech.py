"""Speech: sound in base64 within server-sent events, which the client gets as sound or as events (https://docs.mistral.ai/api/endpoint/audio/speech).

A whole answer would tell nothing of its use, and come late.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from msgspec import structs

from providers import shape
from providers.adapter import StreamDecoder
from providers.asked import Neutral, unsupported, without
from providers.errors import MalformedResponse
from providers.openai import passing, request, wire
from providers.openai.plain import Plain
from providers.types import Call, Head, HttpRequest, Json, JsonObject, Target, Usage

_LACKS: Mapping[str, Neutral] = MappingProxyType(
    {"instructions": lambda _: False, "speed": lambda value: value == 1}
)
_OURS = frozenset({"stream_format", "voice"})
_MEDIA: Mapping[str, str] = MappingProxyType(
    {"mp3": "audio/mpeg", "wav": "audio/wav", "flac": "audio/flac", "opus": "audio/ogg"}
)
"""What it makes, and what that is. Its `pcm` has floats, where OpenAI's has whole numbers."""
_USUAL = "mp3"
_DELTA, _DONE = "speech.audio.delta", "speech.audio.done"


def _build(call: Call, target: Target) -> HttpRequest:
    fields = without(request.fields(call, target), _LACKS, target)
    body = {name: value for name, value in fields.items() if name not in _OURS}
    if body.setdefault("response_format", _USUAL) not in _MEDIA:
        raise unsupported("response_format", target, f"It makes {', '.join(_MEDIA)}. ")
    if "voice" in fields:
        body["voice_id"] = _voice(fields["voice"])
    body["stream"] = True
    in_events = replace(call, body={**call.body, "stream_format": "sse"})
    return request.post(in_events, target, "/audio/speech", request.written(body))


def _voice(given: Json) -> str:
    return shape.text(given.get("id") if isinstance(given, dict) else given, "voice")


def _read(_call: Call, _target: Target, _answer: JsonObject) -> tuple[JsonObject, Usage | None]:
    raise MalformedResponse("the provider answered with JSON where sound was asked for")


def _open(call: Call, _head: Head) -> StreamDecoder:
    spoken = Usage(characters=len(passing.input_of(call)))

    def used(event: JsonObject) -> Usage | None:
        if event.get("type") != _DONE:
            return None
        return structs.replace(passing.usage_in(event) or spoken, characters=spoken.characters)

    if call.stream:
        return passing.Frames({_DONE}, used, _as_openai)
    media = _MEDIA.get(str(call.body.get("response_format", _USUAL)))
    return passing.Frames({_DONE}, used, _sound, media)


def _sound(kind: str | None, _data: bytes, event: JsonObject) -> bytes:
    return _decoded(event) if kind == _DELTA else b""


def _decoded(event: JsonObject) -> bytes:
    try:
        return binascii.a2b_base64(_in_base64(event), strict_mode=True)
    except ValueError:
        raise MalformedResponse("the sound is not in base64") from None


def _in_base64(event: JsonObject) -> str:
    given = event.get("audio_data")
    if not isinstance(given, str):
        raise MalformedResponse("an event brings no sound")
    return given


def _as_openai(kind: str | None, data: bytes, event: JsonObject) -> bytes:
    """Say an event as OpenAI does (https://platform.openai.com/docs/api-reference/audio/speech-audio-delta-event)."""
    if kind == _DELTA:
        data = wire.encode({"type": kind, "audio": _in_base64(event)})
    elif kind == _DONE and (used := passing.usage_in(event)):
        total = used.input_tokens + used.output_tokens
        tokens = {"input_tokens": used.input_tokens, "output_tokens": used.output_tokens}
        data = wire.encode({"type": kind, "usage": {**tokens, "total_tokens": total}})
    return passing.frame(kind, data)


ADAPTER = Plain(build=_build, read=_read, opens=_open)
