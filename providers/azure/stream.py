"""Streams of Azure's: what its content filter says comes in events of its own, without an answer in them.

The first event has no choices, which clients do not expect: what it says of the prompt goes with the
first event that has some. Later ones have an empty `id` and `model`: they get the answer's.
https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-streaming.
"""

from __future__ import annotations

from collections.abc import Callable

from providers.adapter import StreamDecoder
from providers.openai import wire
from providers.openai.lanes import CleanLane
from providers.openai.stream import Decoder
from providers.types import Call, Chunk, Head, Json, JsonObject, Target

_ENVELOPE = ("id", "model", "created", "system_fingerprint")
_OF_PROMPT = ("prompt_filter_results", "prompt_annotations")


class FilteredLane(CleanLane):
    """Reads the events of one stream. There is no exact lane: what the filter says is always put in its place."""

    def __init__(self, call: Call, target: Target, shape: wire.Shape) -> None:
        super().__init__(call, target, shape)
        self._envelope: JsonObject = {}
        self._of_prompt: JsonObject = {}

    def take(self, event: Json, data: bytes) -> Chunk | None:
        """Read one event, with what it lacks. Raises the `UpstreamError` that it reports or is."""
        if isinstance(event, dict):
            self._complete(event)
        return super().take(event, data)

    def _complete(self, event: JsonObject) -> None:
        if not event.get("id"):
            event.update(self._envelope)
        elif not self._envelope:
            self._envelope = {name: event[name] for name in _ENVELOPE if name in event}
        if event.get("choices"):
            event.update(self._of_prompt)
            self._of_prompt = {}
        else:
            self._of_prompt |= {name: event[name] for name in _OF_PROMPT if event.get(name)}


def opener(shape: wire.Shape) -> Callable[[Call, Target, Head], StreamDecoder]:
    """Give the function that starts reading a 2xx stream of this shape."""
    return lambda call, target, _head: Decoder(FilteredLane(call, target, shape))
