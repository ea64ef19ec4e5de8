"""Speech from text (https://platform.openai.com/docs/api-reference/audio/createSpeech): sound as it is made, or events."""

from __future__ import annotations

from msgspec.structs import replace

from providers.adapter import StreamDecoder
from providers.errors import MalformedResponse
from providers.openai import passing
from providers.openai.plain import Plain, posting
from providers.types import Call, Head, JsonObject, Target, Usage


def _read(_call: Call, _target: Target, _answer: JsonObject) -> tuple[JsonObject, Usage | None]:
    raise MalformedResponse("the provider answered with JSON where sound was asked for")


def _open(call: Call, head: Head) -> StreamDecoder:
    spoken = Usage(characters=len(passing.input_of(call)))
    if not call.stream:
        return passing.Bytes(head, spoken)

    def used(event: JsonObject) -> Usage | None:
        if event.get("type") != "speech.audio.done":
            return None
        return replace(passing.usage_in(event) or spoken, characters=spoken.characters)

    return passing.Frames({"speech.audio.done"}, used)


ADAPTER = Plain(build=posting("/audio/speech"), read=_read, opens=_open)
