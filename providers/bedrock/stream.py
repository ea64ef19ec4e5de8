"""A streamed answer: Converse's frames → OpenAI's chunks.

The role waits for the first delta, so that a stream that fails before it has said anything has sent nothing, and the
call can still go elsewhere. Wire format:
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from providers.anthropic.blocks import Block, Progress, Step, block
from providers.anthropic.tools import speaks_functions
from providers.anthropic.wire import usage_json
from providers.bedrock import blocks, wire
from providers.bedrock.errors import reported
from providers.bedrock.response import finish_reason, id_of
from providers.errors import MalformedResponse, StreamTruncated, UpstreamError
from providers.frames import Frame, FrameDecoder
from providers.types import Call, Chunk, Head, Json, JsonObject, Target

_NONE: Mapping[str, Json] = {}


class ConverseStream:
    """Reads one stream. Its end is `metadata`, or the end of the bytes after `messageStop`."""

    def __init__(self, call: Call, target: Target, head: Head) -> None:
        self._frames = FrameDecoder()
        self._include_usage = call.include_usage
        self._progress = Progress(functions=speaks_functions(call.body))
        self._blocks: dict[int, Block] = {}
        self._role_due = True
        self._stopped = self._ended = False
        self._envelope = {
            "id": id_of(call, head),
            "object": "chat.completion.chunk",
            "created": call.created,
            "model": target.model,
        }

    @property
    def finished(self) -> bool:
        """Whether the last event has come."""
        return self._ended

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """Take the next bytes. Raises the error that a frame reports, `MalformedResponse`."""
        chunks: list[Chunk] = []
        if self._ended:
            return chunks
        try:
            for frame in self._frames.feed(data):
                chunks += self._read(frame)
                if self._ended:
                    break
        except UpstreamError as error:
            error.chunks = chunks
            raise
        return chunks

    def close(self) -> Sequence[Chunk]:
        """Take the end of the stream. Raises `StreamTruncated` unless `messageStop` came."""
        if not self._ended and (not self._stopped or self._frames.within):
            raise StreamTruncated("The provider's stream ended before its last event.")
        return ()

    def _read(self, frame: Frame) -> Sequence[Chunk]:
        kind = frame.headers.get(":message-type", "event")
        if kind != "event":
            named = frame.headers.get(":exception-type") or frame.headers.get(":error-code") or ""
            said = frame.headers.get(":error-message")
            raise reported(named, msgspec.json.encode({"message": said}) if said else frame.payload)
        known = _EVENTS.get(frame.headers.get(":event-type", ""))
        if known is None:
            return ()
        decoder, handle = known
        try:
            return handle(self, decoder.decode(frame.payload))
        except (ValueError, RecursionError):
            raise MalformedResponse("An event of the provider's stream cannot be read.") from None

    def block_start(self, event: wire.BlockStart) -> Sequence[Chunk]:
        """Open a block, where it has a start of its own."""
        return self._open(event.content_block_index, blocks.whole(event.start))

    def block_delta(self, event: wire.BlockDelta) -> Sequence[Chunk]:
        """Give the open block its delta; open it where this is the first."""
        index, delta = event.content_block_index, event.delta
        opened = self._open(index, blocks.beginning(delta)) if index not in self._blocks else ()
        return (*opened, *self._said(self._blocks[index].take(blocks.more(delta))))

    def block_stop(self, event: wire.BlockStop) -> Sequence[Chunk]:
        """Close the block."""
        closed = self._blocks.pop(event.content_block_index, None)
        return self._said(closed.close()) if closed else ()

    def message_stop(self, event: wire.MessageStop) -> Sequence[Chunk]:
        """Say why it has ended."""
        reason = finish_reason(event.stop_reason, self._progress)
        self._stopped = True
        more = wire.extras(additionalModelResponseFields=event.additional_model_response_fields)
        return (self._chunk(Step({}), reason, more),)

    def metadata(self, event: wire.Metadata) -> Sequence[Chunk]:
        """Give the usage."""
        if not self._stopped:
            raise MalformedResponse("The provider's stream ended without saying why.")
        self._ended = True
        usage, more = event.usage.tokens(), wire.extras(trace=event.trace)
        traced = (self._chunk(Step({}), None, more),) if more else ()
        if not self._include_usage:
            return (*traced, Chunk(b"", usage))
        body = {**self._envelope, "choices": [], "usage": usage_json(usage)}
        return (*traced, Chunk(msgspec.json.encode(body), usage))

    def _open(self, index: int, start: JsonObject) -> Sequence[Chunk]:
        opened = self._blocks[index] = block(start, self._progress)
        return self._said(opened.open())

    def _said(self, step: Step | None) -> Sequence[Chunk]:
        return (self._chunk(step, None),) if step else ()

    def _chunk(self, step: Step, finish: str | None, more: Mapping[str, Json] = _NONE) -> Chunk:
        delta = step.delta
        if self._role_due:
            self._role_due = False
            delta = {"role": "assistant", **delta}
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        body: JsonObject = {**self._envelope, "choices": [choice], **more}
        if self._include_usage:
            body["usage"] = None
        return Chunk(msgspec.json.encode(body), None, None, step.text_bytes)


_Handler = Callable[[ConverseStream, Any], Sequence[Chunk]]

_EVENTS: Mapping[str, tuple[msgspec.json.Decoder[Any], _Handler]] = {
    # `messageStart` is not here: it says nothing.
    "contentBlockStart": (msgspec.json.Decoder(wire.BlockStart), ConverseStream.block_start),
    "contentBlockDelta": (msgspec.json.Decoder(wire.BlockDelta), ConverseStream.block_delta),
    "contentBlockStop": (msgspec.json.Decoder(wire.BlockStop), ConverseStream.block_stop),
    "messageStop": (msgspec.json.Decoder(wire.MessageStop), ConverseStream.message_stop),
    "metadata": (msgspec.json.Decoder(wire.Metadata), ConverseStream.metadata),
}
