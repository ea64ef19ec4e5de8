"""Speech and transcriptions, as far as OpenRouter has OpenAI's fields.

https://openrouter.ai/docs/api/api-reference/tts/create-speech and
https://openrouter.ai/docs/api/api-reference/stt/create-transcription.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from providers.asked import Neutral, unsupported, without
from providers.openai import request, speech
from providers.openai.hearing import Hearing
from providers.openai.plain import Plain
from providers.types import Call, HttpRequest, Target

_SPEECH_LACKS: Mapping[str, Neutral] = MappingProxyType(
    {"instructions": lambda _: False, "stream_format": lambda value: value == "audio"}
)
_HEARING_LACKS: Mapping[str, Neutral] = MappingProxyType(
    {
        "chunking_strategy": lambda _: False,
        "include": lambda value: value == [],
        "prompt": lambda value: value == "",
        "stream": lambda value: value in (False, "false"),
    }
)
_FORMATS = ("json", "verbose_json")


def _speak(call: Call, target: Target) -> HttpRequest:
    body = without(request.fields(call, target), _SPEECH_LACKS, target)
    # Left out, it would make `pcm`.
    body.setdefault("response_format", "mp3")
    return request.post(call, target, "/audio/speech", request.written(body))


@dataclass(frozen=True, slots=True)
class Transcription(Hearing):
    """Implements `providers.adapter.Adapter`."""

    def build_request(self, call: Call, target: Target) -> HttpRequest:
        """Render the call as a form. Raises `RequestRejected`."""
        fields = without(request.fields(call, target), _HEARING_LACKS, target)
        if fields.get("response_format", "json") not in _FORMATS:
            raise unsupported("response_format", target, f"It gives {', '.join(_FORMATS)}. ")
        kept = {name: value for name, value in call.body.items() if name not in _HEARING_LACKS}
        return request.form(replace(call, body=kept), target, self.path)


SPEECH = Plain(build=_speak, read=speech.ADAPTER.read, opens=speech.ADAPTER.opens)
TRANSCRIPTION = Transcription("/audio/transcriptions")
