"""A streamed answer: events of the Responses API → a chat's chunks.

The role waits for the first delta, so that a stream that fails before it has said anything has sent
nothing, and the call can still go elsewhere. There is no `[DONE]`: the terminal event is the end. Wire
formats: https://platform.openai.com/docs/api-reference/responses-streaming and
https://platform.openai.com/docs/api-reference/chat-streaming.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Never

import msgspec

from providers.errors import MalformedResponse, StreamTruncated, UpstreamError
from providers.openai import errors, wire
from providers.openai.response import unlike
from providers.responses.outputs import ABOUT, Event, Step
from providers.responses.reading import Reading, failure
from providers.sse import SseDecoder
from providers.types import Call, Chunk, Json, JsonObject

WHAT = "an event of the provider's stream"
_BEGINNINGS = frozenset({"response.created", "response.in_progress", "response.queued"})
_ENDINGS = frozenset({"response.completed", "response.incomplete"})
_FAILURES = frozenset({"error", "response.failed", "response.cancelled"})
_ADDED, _DONE = "response.output_item.added", "response.output_item.done"


class _Typed(msgspec.Struct):
    type: str = ""


class _Whole(msgspec.Struct):
    """An event about the whole answer."""

    type: str
    response: JsonObject


class _Failed(msgspec.Struct):
    """An event that reports an error: itself, in it, or in its response."""

    type: str
    error: Json = None
    response: Json = None
    message: Json = None
    code: Json = None
    param: Json = None


_typed = msgspec.json.Decoder(_Typed)
_event = msgspec.json.Decoder(Event)
_whole = msgspec.json.Decoder(_Whole)
_failed = msgspec.json.Decoder(_Failed)


class ChatStream:
    """Reads one stream."""

    def __init__(self, call: Call, reading: Reading) -> None:
        self._sse = SseDecoder()
        self._include_usage = call.include_usage
        self._reading = reading
        self._role_due = True
        self._ended = False

    @property
    def finished(self) -> bool:
        """Whether the terminal event has come."""
        return self._ended

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """Take the next bytes. Raises the error that an event reports, `MalformedResponse`."""
        chunks: list[Chunk] = []
        try:
            for event in self._sse.feed(data):
                if not self._ended:
                    self._read(event.data, chunks)
        except UpstreamError as error:
            error.chunks = chunks
            raise
        return chunks

    def close(self) -> Sequence[Chunk]:
        """Take the end of the stream. Raises `StreamTruncated` unless the terminal event came."""
        if not self._ended:
            raise StreamTruncated("The provider's stream ended before its last event.")
        return ()

    def _read(self, data: bytes, chunks: list[Chunk]) -> None:
        try:
            kind = _typed.decode(data).type
            if kind in ABOUT:
                self._say(self._reading.take(_event.decode(data)), chunks)
            elif kind in {_ADDED, _DONE}:
                self._item(_event.decode(data), chunks)
            elif kind in _BEGINNINGS:
                self._reading.begin(_whole.decode(data).response)
            elif kind in _ENDINGS:
                self._end(_whole.decode(data).response, chunks)
            elif kind in _FAILURES:
                _fail(_failed.decode(data))
            elif not kind:
                raise unlike(data)
            else:
                self._reading.hear(kind, data)
        except wire.UNREADABLE as error:
            raise MalformedResponse(f"{WHAT} cannot be read") from error

    def _item(self, event: Event, chunks: list[Chunk]) -> None:
        if event.item is None:
            raise MalformedResponse(f"{WHAT} has no item")
        take = self._reading.added if event.type == _ADDED else self._reading.done
        self._say(take(event.output_index, event.item), chunks)

    def _end(self, response: JsonObject, chunks: list[Chunk]) -> None:
        self._say(self._reading.rest(response), chunks)
        ending = self._reading.end(response)
        self._ended = True
        chunks.append(self._chunk(Step({}), self._reading.extras(), ending.reason))
        if ending.tokens is None:
            return
        if not self._include_usage:
            chunks.append(Chunk(b"", ending.tokens, self._reading.model))
            return
        event = {**self._envelope([]), "usage": ending.usage}
        chunks.append(Chunk(wire.encode_answer(event, WHAT), ending.tokens, self._reading.model))

    def _say(self, steps: Iterable[Step], chunks: list[Chunk]) -> None:
        # One by one: what was said before an item that cannot be read has been said.
        chunks.extend(self._chunk(step, self._reading.news(), None) for step in steps)

    def _chunk(self, step: Step, beside: JsonObject, finish: str | None) -> Chunk:
        delta = step.delta
        if self._role_due:
            self._role_due = False
            delta = {"role": "assistant", **delta}
        logprobs = {"content": step.logprobs, "refusal": None} if step.logprobs else None
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        body = {**self._envelope([choice]), **beside}
        if self._include_usage:
            body["usage"] = None
        return Chunk(wire.encode_answer(body, WHAT), None, self._reading.model, step.text_bytes)

    def _envelope(self, choices: list[JsonObject]) -> JsonObject:
        return {**self._reading.envelope("chat.completion.chunk"), "choices": choices}


def _fail(event: _Failed) -> Never:
    if event.error:
        raise failure({"error": event.error})
    if isinstance(event.response, dict):
        raise failure({"status": "failed", **event.response})
    raise errors.under_success({"message": event.message, "code": event.code, "param": event.param})
