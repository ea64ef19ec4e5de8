"""A whole answer as the events of a stream, for models that have nothing to stream though they were asked to.

Wire formats: https://platform.openai.com/docs/api-reference/images-streaming and
https://platform.openai.com/docs/api-reference/audio/transcript-text-done-event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from providers.errors import MalformedResponse
from providers.types import Call, Chunk, JsonObject, Operation, Reply


def chunk_of(call: Call, reply: Reply) -> Chunk:
    """Give all of an answer as a chunk of a stream of frames. Raises `MalformedResponse` where it has no such form."""
    tells = _EVENTS.get(call.operation)
    if tells is None or not reply.media.startswith("application/json"):
        raise MalformedResponse(
            f"the provider answered with {reply.media} where an event stream was asked for"
        )
    events = tells(call, msgspec.json.decode(reply.body, type=dict))
    data = b"".join(
        b"event: %b\ndata: %b\n\n" % (each["type"].encode(), msgspec.json.encode(each)) for each in events
    )
    return Chunk(data, reply.usage, reply.model)


def _pictures(call: Call, answer: JsonObject) -> list[JsonObject]:
    told = {name: value for name, value in answer.items() if name not in ("created", "data", "usage")}
    shared = {"type": f"{call.operation}.completed", "created_at": answer.get("created"), **told}
    events: list[JsonObject] = [{**shared, **item} for item in answer["data"]]
    if "usage" in answer:
        # What all of them took together is told once.
        events[-1]["usage"] = answer["usage"]
    return events


def _transcript(_call: Call, answer: JsonObject) -> list[JsonObject]:
    usage = {"usage": answer["usage"]} if "usage" in answer else {}
    return [{"type": "transcript.text.done", "text": answer["text"], **usage}]


_EVENTS: Mapping[Operation, Callable[[Call, JsonObject], list[JsonObject]]] = MappingProxyType(
    {
        Operation.IMAGE_GENERATION: _pictures,
        Operation.IMAGE_EDIT: _pictures,
        Operation.TRANSCRIPTION: _transcript,
    }
)
