"""A streamed answer: Anthropic's events → OpenAI's chunks.

The role waits for the first delta, so that a stream that fails before it has said anything has
sent nothing, and the call can still go elsewhere. Wire formats:
https://docs.anthropic.com/en/docs/build-with-claude/streaming and
https://platform.openai.com/docs/api-reference/chat-streaming/streaming.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from providers.anthropic import wire
from providers.anthropic.blocks import Block, Progress, Step, block
from providers.anthropic.errors import reported
from providers.anthropic.response import finish_reason, refusal
from providers.anthropic.tools import speaks_functions
from providers.errors import MalformedResponse, StreamTruncated
from providers.pieces import read_each
from providers.sse import Event, SseDecoder
from providers.types import Call, Chunk, JsonObject, Usage


class _Typed(msgspec.Struct):
    type: str


_TYPED = msgspec.json.Decoder(_Typed)


class ChatStream:
    """Reads one stream."""

    def __init__(self, call: Call) -> None:
        self._sse = SseDecoder()
        self._created = call.created
        self._include_usage = call.include_usage
        self._progress = Progress(functions=speaks_functions(call.body))
        self._id = ""
        self._model: str | None = None
        self._role_due = True
        self._blocks: dict[int, Block] = {}
        self._usage = wire.WireUsage()
        self._ending = wire.Ending()
        self._stopped = False

    @property
    def finished(self) -> bool:
        """Whether `message_stop` has come."""
        return self._stopped

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """Take the next bytes. Raises the error that an event reports, `MalformedResponse`."""
        return read_each(self._sse.feed(data), self._read)

    def close(self) -> Sequence[Chunk]:
        """Take the end of the stream. Raises `StreamTruncated` unless `message_stop` came."""
        if not self._stopped:
            raise StreamTruncated("The provider's stream ended before its last event.")
        return ()

    def _read(self, sent: Event) -> Sequence[Chunk]:
        data = sent.data
        if self._stopped:
            return ()
        try:
            entry = _EVENTS.get(_TYPED.decode(data).type)
            if entry is None:
                return ()
            decoder, handle = entry
            if self._model is None and handle not in _BEFORE_START:
                raise MalformedResponse("The provider's stream does not start with its start.")
            return handle(self, decoder.decode(data))
        except (ValueError, RecursionError):
            raise MalformedResponse("An event of the provider's stream cannot be read.") from None

    def message_start(self, event: wire.MessageStart) -> Sequence[Chunk]:
        """Keep what is the same in all chunks; tell the account about the input."""
        if self._model is not None:
            raise MalformedResponse("The provider's stream starts twice.")
        self._id, self._model = event.message.id, event.message.model
        # The output tokens of this event are a placeholder, which the cumulative ones replace.
        self._usage = msgspec.structs.replace(event.message.usage, output_tokens=None)
        return (self._account(),)

    def block_start(self, event: wire.BlockStart) -> Sequence[Chunk]:
        """Open a block."""
        opened = self._blocks[event.index] = block(event.content_block, self._progress)
        return self._said(opened.open())

    def block_delta(self, event: wire.BlockDelta) -> Sequence[Chunk]:
        """Give the open block its delta."""
        if event.index not in self._blocks:
            raise MalformedResponse("The provider's stream goes on with a block that is not open.")
        return self._said(self._blocks[event.index].take(event.delta))

    def block_stop(self, event: wire.BlockStop) -> Sequence[Chunk]:
        """Close the block."""
        closed = self._blocks.pop(event.index, None)
        return self._said(closed.close()) if closed else ()

    def message_delta(self, event: wire.MessageDelta) -> Sequence[Chunk]:
        """Keep the ending; tell the account about the output."""
        self._ending = event.delta
        self._usage = self._usage.updated(event.usage)
        return (self._account(),)

    def message_stop(self, _event: wire.MessageStop) -> Sequence[Chunk]:
        """Give the last chunks."""
        self._stopped = True
        words = refusal(self._ending)
        chunks = list(self._said(Step({"refusal": words}) if words else None))
        chunks.append(self._chunk(Step({}), finish_reason(self._ending, self._progress)))
        if self._include_usage:
            usage = self._usage.tokens()
            body = {**self._envelope([]), "usage": wire.usage_json(usage)}
            chunks.append(Chunk(msgspec.json.encode(body), usage, self._model))
        return chunks

    def error(self, event: wire.ErrorEvent) -> Sequence[Chunk]:
        """Raise the error that the event reports."""
        raise reported({"error": event.error})

    def _said(self, step: Step | None) -> Sequence[Chunk]:
        return (self._chunk(step, None),) if step else ()

    def _chunk(self, step: Step, finish: str | None) -> Chunk:
        delta = step.delta
        if self._role_due:
            self._role_due = False
            delta = {"role": "assistant", **delta}
        body = self._envelope([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}])
        if self._include_usage:
            body["usage"] = None
        return Chunk(msgspec.json.encode(body), None, self._model, step.text_bytes)

    def _envelope(self, choices: list[JsonObject]) -> JsonObject:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
            "choices": choices,
        }

    def _account(self) -> Chunk:
        usage: Usage = self._usage.tokens()
        return Chunk(b"", usage, self._model)


_Handler = Callable[[ChatStream, Any], Sequence[Chunk]]

_EVENTS: Mapping[str, tuple[msgspec.json.Decoder[Any], _Handler]] = {
    # `ping` is not here: it says nothing, like every event that is not known.
    "message_start": (msgspec.json.Decoder(wire.MessageStart), ChatStream.message_start),
    "content_block_start": (msgspec.json.Decoder(wire.BlockStart), ChatStream.block_start),
    "content_block_delta": (msgspec.json.Decoder(wire.BlockDelta), ChatStream.block_delta),
    "content_block_stop": (msgspec.json.Decoder(wire.BlockStop), ChatStream.block_stop),
    "message_delta": (msgspec.json.Decoder(wire.MessageDelta), ChatStream.message_delta),
    "message_stop": (msgspec.json.Decoder(wire.MessageStop), ChatStream.message_stop),
    "error": (msgspec.json.Decoder(wire.ErrorEvent), ChatStream.error),
}

_BEFORE_START: tuple[_Handler, ...] = (ChatStream.message_start, ChatStream.error)
